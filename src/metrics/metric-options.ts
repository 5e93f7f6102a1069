import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";

/** The options behind a metric's name, `key=value` each, read one by one. */
export class OptionReader {
  private readonly values = new Map<string, string>();

  /** @throws UsageError for a piece that is no option, an option given twice, or one that the metric does not have. */
  constructor(
    private readonly metric: string,
    pieces: readonly string[],
    known: readonly string[],
  ) {
    for (const piece of pieces) {
      const [key = "", ...rest] = piece.split("=");
      if (!known.includes(key)) {
        throw new UsageError({
          what: `unknown option of the metric ${metric}`,
          actual: JSON.stringify(piece),
          expected: known.length === 0 ? "no options" : known.map((name) => `${name}=...`).join(", "),
          ...(known.length === 0 ? {} : { fix: `Did you mean ${closest(key, [...known])}?` }),
        });
      }
      if (rest.length !== 1 || rest[0] === "" || this.values.has(key)) throw this.wrong(key, piece, "one value");
      this.values.set(key, rest[0] ?? "");
    }
  }

  /** Yes or no; no where it is not given. */
  flag(key: string): boolean {
    return this.choice(key, ["yes", "no"] as const, "no") === "yes";
  }

  /** One of some values. */
  choice<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
    const value = this.values.get(key);
    if (value === undefined) return otherwise;
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw this.wrong(key, value, allowed.join(", "));
    return found;
  }

  /** A number, undefined where it is not given. */
  number(key: string): number | undefined {
    const value = this.values.get(key);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!Number.isFinite(number)) throw this.wrong(key, value, "a number");
    return number;
  }

  private wrong(key: string, value: string, expected: string): UsageError {
    return new UsageError({
      what: `the option ${key} of the metric ${this.metric} cannot be read`,
      actual: JSON.stringify(value),
      expected,
    });
  }
}
