import { cutsOf, keptTokens } from "./batches.js";
import type { DirectContext, LoadedAdapter } from "./direct-context.js";

/** Tokens that are put in whatever the model would have said, and the first of them after which it is asked what follows. */
export interface ReadText {
  readonly tokens: readonly number[];
  /** Place of that token; all from there on are outputs. */
  readonly firstOutput: number;
}

/** Sees the logits after each output of a batch, which are gone with the next. @param place of the first of them in the text. */
export type OnLogits = (logits: readonly Float32Array[], place: number) => void;

/** Evaluates texts one after the other in sequence 0 of a context, each without the beginning that it has from the text before it. */
export class TextReader {
  private before: readonly number[] = [];

  constructor(readonly context: DirectContext) {}

  /** Forgets everything; from now on texts are read under these adapters. */
  begin(adapters: readonly LoadedAdapter[]): void {
    this.context.clear();
    this.context.setAdapters(adapters);
    this.before = [];
  }

  /** How many tokens at the beginning of a text {@link read} will not evaluate again. */
  keeps({ tokens, firstOutput }: ReadText): number {
    // Windows of attention and recurrent layers do not keep all that they have read.
    if (this.before.length === 0 || !this.context.holdsAll(0)) return 0;
    return keptTokens(this.before, tokens, this.context.shape.batchSize, firstOutput);
  }

  /**
   * @param kept what {@link keeps} says of the text.
   * @param around must call `evaluate`, which evaluates `rows` rows of the text from `place` on.
   */
  read(
    { tokens, firstOutput }: ReadText,
    kept: number,
    onLogits: OnLogits,
    around: (place: number, rows: number, evaluate: () => Float32Array[]) => Float32Array[] = (_, __, evaluate) =>
      evaluate(),
  ): void {
    const { context } = this;
    if (kept === 0) context.clear();
    else context.forget(0, kept);
    for (const { from, to } of cutsOf(tokens.length, kept, context.shape.batchSize)) {
      const rows = tokens.slice(from, to).map((token, i) => {
        return { token, position: from + i, sequence: 0, output: from + i >= firstOutput };
      });
      const logits = around(from, to - from, () => context.decode(rows));
      if (logits.length > 0) onLogits(logits, Math.max(from, firstOutput));
    }
    this.before = tokens;
  }
}
