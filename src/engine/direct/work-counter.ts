import type { Work } from "../engine.js";

/** Counts what is computed, in layers times tokens. */
export class WorkCounter {
  private readonly counts = {
    prefill: { base: 0, adapter: 0 },
    decode: {} as Record<string, { base: number; adapter: number; calls: number }>,
    saved: { sharedLayers: 0, commonPrefix: 0 },
    drafts: { tried: 0, taken: 0 },
  };

  constructor(private readonly layerCount: number) {}

  /** Prompt tokens through the layers from `from` on, of which those below `boundary` have an adapter. */
  prefilled(tokens: number, boundary: number, from = 0): void {
    const adapted = Math.max(0, boundary - from);
    this.counts.prefill.adapter += tokens * adapted;
    this.counts.prefill.base += tokens * (this.layerCount - from - adapted);
    this.counts.saved.sharedLayers += tokens * from;
  }

  /** Tokens at the beginning of a prompt that were there already; as {@link prefilled}. */
  kept(tokens: number, from = 0): void {
    this.counts.saved.commonPrefix += tokens * (this.layerCount - from);
    this.counts.saved.sharedLayers += tokens * from;
  }

  /** One call with so many tokens of the answers of so many sequences; as {@link prefilled}. */
  decoded(tokens: number, sequences: number, boundary: number, from = 0): void {
    const adapted = Math.max(0, boundary - from);
    const kind = tokens > 1 && sequences === 1 ? `${tokens}/1` : String(tokens);
    const counts = (this.counts.decode[kind] ??= { base: 0, adapter: 0, calls: 0 });
    counts.adapter += tokens * adapted;
    counts.base += tokens * (this.layerCount - from - adapted);
    counts.calls += 1;
  }

  drafted(tried: number, taken: number): void {
    this.counts.drafts.tried += tried;
    this.counts.drafts.taken += taken;
  }

  snapshot(): Work {
    return structuredClone(this.counts);
  }
}
