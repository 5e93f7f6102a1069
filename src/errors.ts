/** What a user needs to mend a problem: what is wrong, the value seen, the value expected, and the fix. */
export interface ErrorParts {
  /** What is wrong, one clause, without a full stop. */
  readonly what: string;
  /** The value that was seen. */
  readonly actual?: string;
  /** The value that would have been right. */
  readonly expected?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

let areFlags = false;

/**
 * Errors are written with flags (`--max-tokens`). That is what the command line shows; to those who call the library they name its options
 * (`maxTokens`), unless this is called once at the start of a program.
 */
export function nameSettingsAsFlags(): void {
  areFlags = true;
}

/** A text that names settings as the reader gives them. What stands between backticks is a command, and stays. */
function asNamed(text: string): string {
  if (areFlags) return text;
  const option = (_: string, name: string): string =>
    `\`${name.replace(/-([a-z])/g, (__, letter: string) => letter.toUpperCase())}\``;
  return text
    .split(/(`[^`]*`)/)
    .map((piece) => (piece.startsWith("`") ? piece : piece.replace(/(?<![\w-])--([a-z][a-z-]*[a-z])/g, option)))
    .join("");
}

/** Exit code of the process: 2 when the call itself is wrong, 1 when the work failed. */
export type ExitCode = 1 | 2;

/** Base of every error a user can meet. The command line prints its message without a stack. */
export class BoundaryError extends Error {
  override readonly name: string = "BoundaryError";
  readonly exitCode: ExitCode = 1;
  readonly parts: ErrorParts;

  constructor(parts: ErrorParts) {
    const { cause, ...texts } = parts;
    const named = Object.fromEntries(Object.entries(texts).map(([part, text]) => [part, text && asNamed(text)]));
    const said: ErrorParts = { ...parts, ...named };
    super(formatParts(said), cause === undefined ? undefined : { cause });
    this.parts = said;
  }
}

/** A flag, option or configuration value is wrong. */
export class UsageError extends BoundaryError {
  override readonly name = "UsageError";
  override readonly exitCode = 2;
}

/** A file or folder cannot be read or written. */
export class FileError extends BoundaryError {
  override readonly name = "FileError";
  constructor(
    readonly path: string,
    parts: ErrorParts,
  ) {
    super(parts);
  }
}

/** The bytes of a file are not what its format demands. */
export class FormatError extends BoundaryError {
  override readonly name = "FormatError";
  constructor(
    readonly path: string,
    parts: ErrorParts,
  ) {
    super(parts);
  }
}

/** A file that the work rests on was written, replaced or removed meanwhile. */
export class InputChangedError extends BoundaryError {
  override readonly name = "InputChangedError";
  constructor(
    readonly path: string,
    parts: ErrorParts,
  ) {
    super(parts);
  }
}

/** The adapter cannot be used, or not with this model. */
export class AdapterError extends BoundaryError {
  override readonly name = "AdapterError";
  constructor(
    readonly path: string,
    parts: ErrorParts,
    readonly tensor?: string,
  ) {
    super(parts);
  }
}

/** A sample, or the file it came from, is not usable. `line` is 1-based. */
export class SampleError extends BoundaryError {
  override readonly name = "SampleError";
  readonly path: string;
  readonly line?: number;
  readonly field?: string;
  readonly sampleId?: string;
  constructor(where: { path: string; line?: number; field?: string; sampleId?: string }, parts: ErrorParts) {
    super(parts);
    this.path = where.path;
    if (where.line !== undefined) this.line = where.line;
    if (where.field !== undefined) this.field = where.field;
    if (where.sampleId !== undefined) this.sampleId = where.sampleId;
  }
}

/** The prompt template cannot be read or rendered. */
export class TemplateError extends BoundaryError {
  override readonly name = "TemplateError";
}

/** The engine refused or failed. */
export class EngineError extends BoundaryError {
  override readonly name: string = "EngineError";
}

/** The engine's process ended by itself: an abort in native code, or killed from outside. */
export class EngineCrashError extends EngineError {
  override readonly name = "EngineCrashError";
  constructor(
    parts: ErrorParts,
    readonly signal: string | undefined,
    readonly stderrTail: string,
  ) {
    super(parts);
  }
}

/** The Redis server that holds a queue of workers cannot be reached or refuses, or a message in it is not what it must be. */
export class QueueError extends BoundaryError {
  override readonly name = "QueueError";
}

/** The machine has not enough memory for what was asked. Sizes in bytes. */
export class MemoryError extends EngineError {
  override readonly name = "MemoryError";
  constructor(
    parts: ErrorParts,
    readonly requiredBytes: number,
    readonly availableBytes: number,
  ) {
    super(parts);
  }
}

/** The output folder cannot take this run. */
export class RunFolderError extends BoundaryError {
  override readonly name = "RunFolderError";
  override readonly exitCode = 2;
  constructor(
    readonly path: string,
    parts: ErrorParts,
  ) {
    super(parts);
  }
}

/** The user stopped the work (Ctrl-C, SIGTERM). What was finished is in the journal. */
export class InterruptedError extends BoundaryError {
  override readonly name = "InterruptedError";
}

function formatParts({ what, actual, expected, fix }: ErrorParts): string {
  const facts = [
    actual === undefined ? undefined : `found ${actual}`,
    expected === undefined ? undefined : `expected ${expected}`,
  ].filter((part) => part !== undefined);
  const head = facts.length > 0 ? `${what}: ${facts.join(", ")}` : what;
  return fix === undefined ? head : `${head}. ${fix}`;
}

/** What was thrown, in words. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Turns an error of Node's file system into a {@link FileError} that says which file and what to do. */
export function fileError(path: string, doing: "read" | "write", cause: unknown): FileError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const known: Record<string, { actual: string; fix: string }> = {
    ENOENT: { actual: "no such file or folder", fix: "Check the path." },
    EACCES: { actual: "permission denied", fix: "Check the permissions, or choose another path." },
    EPERM: { actual: "operation not permitted", fix: "Check the permissions, or choose another path." },
    EROFS: { actual: "a read-only file system", fix: "Choose a folder that can be written." },
    ENOSPC: { actual: "no space left on the disk", fix: "Free some space, then run the same command again." },
    EDQUOT: { actual: "the disk quota is used up", fix: "Free some space, then run the same command again." },
    EISDIR: { actual: "a folder", fix: "Give the path of a file." },
    ENOTDIR: { actual: "a file where a folder is needed", fix: "Choose another path." },
    EEXIST: { actual: "something that exists already", fix: "Choose another path." },
  };
  const { actual, fix } = known[code] ?? { actual: messageOf(cause), fix: "" };
  return new FileError(path, { what: `cannot ${doing} ${path}`, actual, ...(fix === "" ? {} : { fix }), cause });
}
