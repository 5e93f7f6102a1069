import { constants } from "node:os";
import { hasTerminal, say } from "./output.js";

/** What becomes of a command when a signal asks it to end. */
export type Ending =
  /** It stops by itself: it has the signal, keeps what is finished and says so. */
  | "stops"
  /** The same, in its own time: answers under way are finished, for as long as its settings allow. */
  | "drains"
  /** It ends at once, and removes the files that it was writing. */
  | "exits"
  /** The system ends it, whatever it is doing: it writes nothing that must not stay half written. */
  | "dies";

/** Seconds that a command has to stop by itself: an engine that loads a large model does not listen before it is done. */
const STOP_SECONDS = 10;

/**
 * Ends a command on Ctrl-C (SIGINT), SIGTERM, and SIGHUP where it has a terminal. A second signal ends it at once.
 *
 * Node resets an ignored SIGHUP when it starts, so `nohup` leaves no trace but this: it takes every terminal away. A command without one
 * was meant to outlive it, and ignores SIGHUP.
 * @returns the exit code of an interrupted command: 128 plus the signal's number.
 */
export function followSignals(ending: Ending, interruption: AbortController): () => number {
  const isDetached = !hasTerminal();
  if (isDetached) process.on("SIGHUP", () => undefined);
  let exitCode = 128 + constants.signals.SIGINT;
  if (ending === "dies") return () => exitCode;
  for (const signal of ["SIGINT", "SIGTERM", ...(isDetached ? [] : (["SIGHUP"] as const))] as const) {
    process.on(signal, () => {
      exitCode = 128 + constants.signals[signal];
      if (ending === "exits" || interruption.signal.aborted) process.exit(exitCode);
      interruption.abort();
      if (ending === "stops") setTimeout(exitLate, 1000 * STOP_SECONDS).unref();
    });
  }
  const exitLate = (): void => {
    say(`It did not stop within ${STOP_SECONDS} s, so it was ended.`);
    process.exit(exitCode);
  };
  return () => exitCode;
}
