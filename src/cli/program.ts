import { Command, CommanderError } from "commander";
import { BoundaryError, InterruptedError } from "../errors.js";
import { redact } from "../files/redact.js";
import { oneLine, paint } from "../report/paint.js";
import { version } from "../version.js";
import { print, say } from "./output.js";
import type { Ending } from "./signals.js";

/** What makes each command. Loading all of them takes several times as long as a small job, so only the one asked for is loaded. */
const commands: Readonly<Record<string, { ending: Ending; make: (signal: AbortSignal) => Promise<Command> }>> = {
  sweep: { ending: "stops", make: async (signal) => (await import("./sweep.js")).sweepCommand(signal) },
  probe: { ending: "stops", make: async (signal) => (await import("./probe.js")).probeCommand(signal) },
  advise: { ending: "stops", make: async (signal) => (await import("./advise.js")).adviseCommand(signal) },
  strategies: {
    ending: "stops",
    make: async (signal) => (await import("./strategies.js")).strategiesCommand(signal),
  },
  data: { ending: "stops", make: async (signal) => (await import("./data.js")).dataCommand(signal) },
  compare: { ending: "stops", make: async (signal) => (await import("./compare.js")).compareCommand(signal) },
  score: { ending: "dies", make: async () => (await import("./score.js")).scoreCommand() },
  serve: { ending: "drains", make: async (signal) => (await import("./serve.js")).serveCommand(signal) },
  generate: { ending: "stops", make: async (signal) => (await import("./generate.js")).generateCommand(signal) },
  report: { ending: "exits", make: async () => (await import("./report.js")).reportCommand() },
  judge: { ending: "stops", make: async (signal) => (await import("./judge.js")).judgeCommand(signal) },
  vote: { ending: "stops", make: async (signal) => (await import("./vote.js")).voteCommand(signal) },
  trim: { ending: "exits", make: async (signal) => (await import("./trim.js")).trimCommand(signal) },
  inspect: { ending: "dies", make: async () => (await import("./inspect.js")).inspectCommand() },
  convert: { ending: "exits", make: async (signal) => (await import("./convert.js")).convertCommand(signal) },
  merge: { ending: "exits", make: async () => (await import("./merge.js")).mergeCommand() },
  worker: { ending: "stops", make: async (signal) => (await import("./worker.js")).workerCommand(signal) },
  workers: { ending: "dies", make: async () => (await import("./workers.js")).workersCommand() },
  doctor: { ending: "dies", make: async () => (await import("./doctor.js")).doctorCommand() },
};

/** How a command ends that is told to stop; undefined where there is no such command. */
export function endingOf(name: string | undefined): Ending | undefined {
  return commands[name ?? ""]?.ending;
}

/**
 * Runs the command that the arguments name.
 * @param signal aborted when it is told to stop. @param interruptedExitCode what it ends with then.
 * @returns the exit code of an error, which it has told on stderr; undefined without one, for what the command itself left in `process.exitCode`.
 */
export async function runCommand(
  args: readonly string[],
  signal: AbortSignal,
  interruptedExitCode: () => number,
): Promise<number | undefined> {
  try {
    await (await programFor(args[0] ?? "", signal)).parseAsync(args, { from: "user" });
    return undefined;
  } catch (error) {
    return report(error, interruptedExitCode);
  }
}

async function programFor(first: string, signal: AbortSignal): Promise<Command> {
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
  const asked = commands[first];
  const wanted = asked ? [asked] : ["-V", "--version"].includes(first) ? [] : Object.values(commands);
  for (const { make } of wanted) {
    program.addCommand((await make(signal)).copyInheritedSettings(program).exitOverride());
  }
  return program.exitOverride();
}

/** Says what went wrong on stderr and returns the exit code. Errors that a user can mend come without a stack. */
function report(error: unknown, interruptedExitCode: () => number): number {
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
