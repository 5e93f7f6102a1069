import { createContext, Script } from "node:vm";

/**
 * Seconds that work on somebody else's expression, template or document may take. Honest ones take milliseconds; a machine under load makes
 * them slower.
 */
export const FOREIGN_SECONDS = 2;

/** Work was ended because it took longer than it may. Callers say what it was. */
export class TimeLimitError extends Error {
  override readonly name = "TimeLimitError";
}

const script = new Script("work()");
const scope: { work: () => void } = { work: () => undefined };
const context = createContext(scope);

/**
 * Runs synchronous work and ends it where it takes too long, whatever it is doing: V8 stops a loop and also a regular expression that
 * backtracks. Costs 0.1 ms, so it goes around many matches at once. The work must be pure: it can end at any point, `finally` is skipped.
 * @throws TimeLimitError; what the work throws itself passes through.
 */
export function withTimeLimit<T>(work: () => T, seconds: number = FOREIGN_SECONDS): T {
  let outcome: { value: T } | undefined;
  scope.work = () => {
    outcome = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: Math.ceil(1000 * seconds) });
  } catch (cause) {
    if (!isTimeout(cause)) throw cause;
  }
  if (!outcome) throw new TimeLimitError(`it takes longer than ${seconds} s`);
  return outcome.value;
}

/** The error comes from another context, so it is no instance of our `Error`. */
function isTimeout(cause: unknown): boolean {
  return (
    typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
  );
}
