#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { BoundaryError, InterruptedError } from "../errors.js";
import { redact } from "../formats/redact.js";
import { version } from "../version.js";

/** What makes each command. Loading all of them takes several times as long as a small job, so only the one asked for is loaded. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  sweep: async () => (await import("./sweep.js")).sweepCommand(interruption.signal),
  probe: async () => (await import("./probe.js")).probeCommand(interruption.signal),
  advise: async () => (await import("./advise.js")).adviseCommand(interruption.signal),
  strategies: async () => (await import("./strategies.js")).strategiesCommand(interruption.signal),
  compare: async () => (await import("./compare.js")).compareCommand(interruption.signal),
  score: async () => (await import("./score.js")).scoreCommand(),
  serve: async () => (await import("./serve.js")).serveCommand(interruption.signal),
  generate: async () => (await import("./generate.js")).generateCommand(interruption.signal),
  report: async () => (await import("./report.js")).reportCommand(),
  judge: async () => (await import("./judge.js")).judgeCommand(interruption.signal),
  vote: async () => (await import("./vote.js")).voteCommand(interruption.signal),
  trim: async () => (await import("./trim.js")).trimCommand(),
  inspect: async () => (await import("./inspect.js")).inspectCommand(),
  convert: async () => (await import("./convert.js")).convertCommand(),
  worker: async () => (await import("./worker.js")).workerCommand(interruption.signal),
  workers: async () => (await import("./workers.js")).workersCommand(),
  doctor: async () => (await import("./doctor.js")).doctorCommand(),
};

/** Exit code of a process that a signal stopped: 128 + its number. */
const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

const interruption = new AbortController();
let interruptedExitCode: number = SIGNAL_EXIT_CODES.SIGINT;
for (const [signal, exitCode] of Object.entries(SIGNAL_EXIT_CODES)) {
  process.on(signal, () => {
    // A second Ctrl-C does not wait for a clean end.
    if (interruption.signal.aborted) process.exit(exitCode);
    interruptedExitCode = exitCode;
    interruption.abort();
  });
}
// `boundary sweep --json | head` is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

const program = new Command("boundary")
  .description("Finds the layer above which a LoRA adapter is not needed, and trims it.")
  .version(version)
  .showHelpAfterError("(--help lists every option)")
  .configureOutput({
    outputError: (text, write) => {
      // It repeats arguments that it does not know.
      write(pc.red(redact(text)));
    },
  });
const first = process.argv[2] ?? "";
const asked = commands[first];
const wanted = asked ? [asked] : ["-V", "--version"].includes(first) ? [] : Object.values(commands);
for (const make of wanted) {
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
    process.stderr.write(`${error.message}\n`);
    return interruptedExitCode;
  }
  if (error instanceof BoundaryError) {
    process.stderr.write(`${pc.red(`error: ${error.message}`)}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.stderr.write("This is a defect of boundary: please report it.\n");
  return 1;
}
