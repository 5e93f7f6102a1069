import { cutsOf } from "./batches.js";
import type { DirectContext, LoadedAdapter } from "./direct-context.js";
import type { DirectModel } from "./direct-model.js";
import type { LayerChain } from "./layer-chain.js";
import type { LayerTap } from "./layer-tap.js";
import { allocate, release, type NativeArray } from "./native-array.js";
import { TextReader, type OnLogits, type ReadText } from "./text-reader.js";
import type { WorkCounter } from "./work-counter.js";

/** For each boundary what its layer takes in: [rows, embedding length]. */
export type HiddenOfBoundaries = ReadonlyMap<number, NativeArray<Float32Array>>;

/** What one text's pass through the full model leaves behind. */
export interface TextPass {
  readonly text: ReadText;
  /** Tokens at its beginning that the text before it has too, and that are not evaluated again. */
  readonly kept: number;
  /** From row `kept` on. */
  readonly hidden: HiddenOfBoundaries;
}

/** What passes compute with; see SharedLayers. */
export interface PassParts {
  readonly model: DirectModel;
  readonly chain: LayerChain;
  readonly tap: LayerTap;
  /** One sequence, its layers' outputs tapped. */
  readonly passing: DirectContext;
  readonly work: WorkCounter;
}

/** Reads texts once through all layers, and from there on through the layers above each boundary. */
export class SharedPasses {
  private readonly reader: TextReader;
  private boundary = 0;

  constructor(private readonly parts: PassParts) {
    this.reader = new TextReader(parts.passing);
  }

  /** Forgets everything; {@link whole} reads under these adapters from now on. @param boundary below which they work. */
  begin(adapters: readonly LoadedAdapter[], boundary: number): void {
    this.reader.begin(adapters);
    this.boundary = boundary;
  }

  /** A text through all layers. @param boundaries whose hidden states are to be taken; the caller releases them. */
  whole(text: ReadText, boundaries: readonly number[], onLogits: OnLogits): TextPass {
    const { work } = this.parts;
    const kept = this.reader.keeps(text);
    const rows = text.tokens.length - kept;
    const hidden = this.allocate(boundaries, rows);
    this.reader.read(text, kept, onLogits, (place, count, evaluate) =>
      this.tapped(hidden, place - kept, count, evaluate),
    );
    work.prefilled(rows, this.boundary);
    work.kept(kept);
    return { text, kept, hidden };
  }

  /** A text through the layers from a boundary on; texts come in the order in which they were read whole. */
  above(boundary: number, { text, kept, hidden }: TextPass, onLogits: OnLogits): void {
    const { chain, work, passing } = this.parts;
    const rows = hidden.get(boundary);
    if (!rows) throw new RangeError(`boundary ${boundary} has no hidden states`);
    chain.forget(boundary, kept);
    for (const { from, to } of cutsOf(text.tokens.length, kept, passing.shape.batchSize)) {
      const address = rows.address + this.rowBytes(from - kept);
      const firstOutput = Math.min(Math.max(0, text.firstOutput - from), to - from);
      const logits = chain.run(boundary, { address, count: to - from, position: from, firstOutput, asIfAlone: false });
      if (logits.length > 0) onLogits(logits, from + firstOutput);
    }
    work.prefilled(text.tokens.length - kept, 0, boundary);
    work.kept(kept, boundary);
  }

  /** Evaluates `count` rows, whose hidden states are written from `row` on. */
  tapped<T>(hidden: HiddenOfBoundaries, row: number, count: number, evaluate: () => T): T {
    const { tap } = this.parts;
    const bytes = this.rowBytes(row);
    return tap.collect(
      count,
      hidden.size,
      (layer) => {
        const to = hidden.get(layer + 1);
        return to && to.address + bytes;
      },
      evaluate,
    );
  }

  allocate(boundaries: readonly number[], rows: number): HiddenOfBoundaries {
    const { library, embeddingLength } = this.parts.model;
    return new Map(boundaries.map((boundary) => [boundary, allocate(library, Float32Array, rows * embeddingLength)]));
  }

  release(hidden: HiddenOfBoundaries): void {
    for (const rows of hidden.values()) release(this.parts.model.library, rows);
  }

  rowBytes(rows: number): bigint {
    return BigInt(rows * this.parts.model.embeddingLength * Float32Array.BYTES_PER_ELEMENT);
  }
}
