import type { AdapterModule, HashedAdapter } from "../../adapter/adapter.js";
import type { BaseModel } from "../../adapter/base-model.js";
import { writePiece, type ScaledPiece } from "../../adapter/pieces.js";
import { adaptedRows, updateValues } from "../../adapter/update-values.js";
import { at } from "../../assert.js";
import type { Engine } from "../../engine/engine.js";
import { EngineError } from "../../errors.js";

/** What the check needs of an engine. */
export type EffectEngine = Pick<Engine, "info" | "tokenize" | "nextTokenLogits">;

/**
 * How a module is tried: a prompt of so many tokens, with an update scaled to so many times an output of about 1. What seems to do nothing is
 * tried more strongly on a longer prompt before it is said to; stacked experts on many tokens, each of which goes to a few of them.
 */
const ATTEMPTS = [
  { tokens: 16, strength: 30 },
  { tokens: 64, strength: 1000 },
] as const;
const EXPERT_ATTEMPTS = [...ATTEMPTS, { tokens: 512, strength: 1000 }] as const;

/** Words of many kinds; where a vocabulary cuts them into few tokens, others are put in. */
const TEXT = "The quick brown fox jumps over the lazy dog; 0123456789, Zwölf Boxkämpfer: été 日本語!";
/** Steps through the vocabulary: a prime near its golden section meets all parts of it early. */
const STRIDE = 2_654_435_761;
/** Scales are 32-bit floats. */
const MOST_SCALE = 1e30;

/** Tries modules of an adapter, each by itself, against the base model. */
export class EffectTrial {
  /** Prompts that were evaluated. */
  prompts = 0;
  private readonly baseLogits = new Map<number, Float32Array>();

  private constructor(
    private readonly engine: EffectEngine,
    private readonly adapter: HashedAdapter,
    private readonly model: BaseModel,
    private readonly folder: string,
    /** What a prompt begins with: tokens whose embedding the adapter changes, and text. */
    private readonly beginning: readonly number[],
  ) {}

  /** @param folder for pieces of the adapter. */
  static async prepare(
    engine: EffectEngine,
    adapter: HashedAdapter,
    model: BaseModel,
    folder: string,
  ): Promise<EffectTrial> {
    const few = at(ATTEMPTS, 0).tokens / 4;
    const text = at(await engine.tokenize([TEXT]), 0);
    const embedding = adapter.modules.find(({ place }) => place === "embedding");
    const rows = embedding ? await adaptedRows(adapter, embedding, few) : [];
    return new EffectTrial(engine, adapter, model, folder, [
      ...text.slice(0, few),
      ...rows,
      ...text.slice(few, 2 * few),
    ]);
  }

  /** Whether these modules together change a logit. */
  async acts(modules: readonly AdapterModule[]): Promise<boolean> {
    const attempts = modules.some(({ a }) => a.dims.length > 2) ? EXPERT_ATTEMPTS : ATTEMPTS;
    for (const { tokens, strength } of attempts) {
      const pieces: ScaledPiece[] = [];
      for (const module of modules) pieces.push(await this.piece(module, strength));
      const base = await this.base(tokens);
      const logits = await this.logits(tokens, pieces);
      if (logits.some((value, i) => value !== base[i])) return true;
    }
    return false;
  }

  private async base(tokens: number): Promise<Float32Array> {
    const known = this.baseLogits.get(tokens);
    if (known) return known;
    const logits = await this.logits(tokens, []);
    if (logits.some(Number.isNaN)) {
      throw new EngineError({
        what: `${this.model.path} gives logits that are not numbers, without any adapter`,
        fix: "The model is damaged or not made for this llama.cpp: download or convert it again.",
      });
    }
    this.baseLogits.set(tokens, logits);
    return logits;
  }

  private logits(tokens: number, pieces: readonly ScaledPiece[]): Promise<Float32Array> {
    this.prompts += 1;
    return this.engine.nextTokenLogits({
      pieces,
      context: { sequences: 1, contextSize: 2 * tokens, batchSize: 512, cacheType: "F16", flashAttention: "auto" },
      tokens: this.prompt(tokens),
    });
  }

  private prompt(length: number): number[] {
    const { vocabulary } = this.engine.info;
    const spread = Array.from({ length }, (_, i) => ((i + 1) * STRIDE) % vocabulary);
    return [...this.beginning, ...spread].filter((token) => token < vocabulary).slice(0, length);
  }

  private async piece(module: AdapterModule, strength: number): Promise<ScaledPiece> {
    const { size } = await updateValues(this.adapter, module);
    const { path, givenPath } = await writePiece(this.adapter, [module], this.folder);
    const scale = size === undefined || size === 0 ? strength : Math.min(strength / size, MOST_SCALE);
    return { path, ...(givenPath === undefined ? {} : { givenPath }), scale: Math.fround(scale) };
  }
}
