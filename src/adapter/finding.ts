/** Something odd about an adapter. An `error` means that it must not be used as it is. */
export interface Finding {
  readonly severity: "error" | "warning" | "note";
  /** Stable name for scripts, such as `dora`. */
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
}

/** Collects findings; `error` and `warning` are shorthands. */
export class Findings {
  readonly all: Finding[] = [];

  error(code: string, message: string, fix: string): void {
    this.all.push({ severity: "error", code, message, fix });
  }

  warning(code: string, message: string, fix?: string): void {
    this.all.push({ severity: "warning", code, message, ...(fix === undefined ? {} : { fix }) });
  }

  note(code: string, message: string): void {
    this.all.push({ severity: "note", code, message });
  }

  firstError(): Finding | undefined {
    return this.all.find(({ severity }) => severity === "error");
  }
}
