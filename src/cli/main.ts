#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { BoundaryError, InterruptedError, nameSettingsAsFlags } from "../errors.js";
import { oneLine, paint } from "../report/paint.js";
import { redact } from "../files/redact.js";
import { version } from "../version.js";
import { followBrokenOutput, print, say } from "./output.js";
import { followSignals, type Ending } from "./signals.js";

/** What makes each command. Loading all of them takes several times as long as a small job, so only the one asked for is loaded. */
const commands: Readonly<Record<string, { ending: Ending; make: () => Promise<Command> }>> = {
  sweep: { ending: "stops", make: async () => (await import("./sweep.js")).sweepCommand(interruption.signal) },
  probe: { ending: "stops", make: async () => (await import("./probe.js")).probeCommand(interruption.signal) },
  advise: { ending: "stops", make: async () => (await import("./advise.js")).adviseCommand(interruption.signal) },
  strategies: {
    ending: "stops",
    make: async () => (await import("./strategies.js")).strategiesCommand(interruption.signal),
  },
  compare: { ending: "stops", make: async () => (await import("./compare.js")).compareCommand(interruption.signal) },
  score: { ending: "dies", make: async () => (await import("./score.js")).scoreCommand() },
  serve: { ending: "drains", make: async () => (await import("./serve.js")).serveCommand(interruption.signal) },
  generate: { ending: "stops", make: async () => (await import("./generate.js")).generateCommand(interruption.signal) },
  report: { ending: "exits", make: async () => (await import("./report.js")).reportCommand() },
  judge: { ending: "stops", make: async () => (await import("./judge.js")).judgeCommand(interruption.signal) },
  vote: { ending: "stops", make: async () => (await import("./vote.js")).voteCommand(interruption.signal) },
  trim: { ending: "exits", make: async () => (await import("./trim.js")).trimCommand(interruption.signal) },
  inspect: { ending: "dies", make: async () => (await import("./inspect.js")).inspectCommand() },
  convert: { ending: "exits", make: async () => (await import("./convert.js")).convertCommand(interruption.signal) },
  worker: { ending: "stops", make: async () => (await import("./worker.js")).workerCommand(interruption.signal) },
  workers: { ending: "dies", make: async () => (await import("./workers.js")).workersCommand() },
  doctor: { ending: "dies", make: async () => (await import("./doctor.js")).doctorCommand() },
};

nameSettingsAsFlags();
const interruption = new AbortController();
const first = process.argv[2] ?? "";
const asked = commands[first];
const interruptedExitCode = followSignals(asked?.ending ?? "dies", interruption);
followBrokenOutput();

const program = new Command("boundary")
  .description("Finds the layer above which a LoRA adapter is not needed, and trims it.")
  .version(version)
  .showHelpAfterError("(--help lists every option)")
  .configureOutput({
    writeOut: print,
    writeErr: (text) => {
      say(text.trimEnd());
    },
    outputError: (text, write) => {
      // It repeats arguments that it does not know.
      write(paint.red(redact(text.trimEnd())));
    },
  });
const wanted = asked ? [asked] : ["-V", "--version"].includes(first) ? [] : Object.values(commands);
for (const { make } of wanted) {
  program.addCommand((await make()).copyInheritedSettings(program).exitOverride());
}
program.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong on stderr and returns the exit code. Errors that a user can mend come without a stack. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InterruptedError) {
    say(oneLine(error.message));
    return interruptedExitCode();
  }
  if (error instanceof BoundaryError) {
    say(paint.red(oneLine(`error: ${error.message}`)));
    return error.exitCode;
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  say("This is a defect of boundary: please report it.");
  return 1;
}
