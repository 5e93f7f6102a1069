import type { BoundaryError } from "../../src/errors.js";

type ErrorClass<T extends BoundaryError> = abstract new (...parts: never[]) => T;

/** Runs `work` and returns the error it ends in, which must be of that class; any other error is thrown on. */
export async function failureOf<T extends BoundaryError>(Kind: ErrorClass<T>, work: () => unknown): Promise<T> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Kind) return error;
    throw error;
  }
  throw new Error(`nothing failed, but ${Kind.name} was expected`);
}
