import { closest } from "fastest-levenshtein";
import { UsageError } from "./errors.js";

/** A name that stands in lists and flags: no comma, colon, equals sign or space. */
const NAME = /^[A-Za-z][A-Za-z0-9._-]*$/;

/** Things that are chosen by name: those of boundary itself, in their order, and those that a user adds. */
export class Registry<T> {
  private readonly entries: Map<string, T>;

  /** @param noun what is chosen, as messages call it: "metric". */
  constructor(
    private readonly noun: string,
    builtIn: Iterable<readonly [name: string, entry: T]>,
  ) {
    this.entries = new Map(builtIn);
  }

  /** Adds an entry. @throws UsageError for a name that is taken, or that cannot stand in a flag. */
  register(name: string, entry: T): void {
    if (!NAME.test(name)) {
      throw new UsageError({
        what: `${JSON.stringify(name)} cannot be the name of a ${this.noun}`,
        expected: "a letter, then letters, digits, dots, dashes or underscores",
      });
    }
    if (this.entries.has(name)) {
      throw new UsageError({ what: `There is a ${this.noun} named ${name} already`, fix: "Take another name." });
    }
    this.entries.set(name, entry);
  }

  /** All names, those of boundary itself first. */
  get names(): readonly string[] {
    return [...this.entries.keys()];
  }

  /** @param shown what messages list instead of the names. @throws UsageError for an unknown name, with the nearest. */
  get(name: string, shown: readonly string[] = this.names): T {
    const entry = this.entries.get(name);
    if (entry !== undefined) return entry;
    throw new UsageError({
      what: `unknown ${this.noun}`,
      actual: JSON.stringify(name),
      expected: `one of ${shown.join(", ")}`,
      fix: `Did you mean ${closest(name, [...this.names])}? A ${this.noun} of your own comes with --import FILE.`,
    });
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }
}
