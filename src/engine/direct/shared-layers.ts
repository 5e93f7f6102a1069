import type { WaveVocabulary } from "../answer.js";
import type { SharedGeneration, SharedLikelihood, SharedLikelihoodRequest, SharedRequest } from "../engine.js";
import type { ContextShape } from "../layer-passes.js";
import type { DirectContext } from "./direct-context.js";
import type { DirectModel } from "./direct-model.js";
import { LayerChain } from "./layer-chain.js";
import { LayerTap } from "./layer-tap.js";
import { allocate, release } from "./native-array.js";
import { weighShared } from "./shared-likelihoods.js";
import { SharedPasses } from "./shared-passes.js";
import { SharedWave, type WaveParts } from "./shared-wave.js";
import { equalBits } from "./shortcuts.js";
import type { WorkCounter } from "./work-counter.js";

/** Most bytes of hidden states that are held at once. */
const HIDDEN_BYTES = 2 ** 30;

/**
 * Answers prompts under all boundaries of an adapter. Below layer K boundary K is the full adapter, from K on the base model: so one pass
 * through the full adapter gives each boundary the hidden states at its layer, and only the layers above are run for it, through a
 * {@link LayerChain}. The full adapter's answer is tried there, token for token; where a boundary says something else, its keys and values
 * are put together from both parts and the full model decodes on under its mask.
 */
export class SharedLayers {
  private readonly texts: SharedPasses;

  private constructor(
    private readonly parts: WaveParts,
    private readonly shape: ContextShape,
  ) {
    this.texts = new SharedPasses(parts);
  }

  /** @throws what {@link LayerChain.load} does; InsufficientMemoryError when a context does not fit. */
  static async open(model: DirectModel, shape: ContextShape, work: WorkCounter): Promise<SharedLayers> {
    const chain = await LayerChain.load(model, shape);
    const tap = new LayerTap(model.library, model.embeddingLength);
    const opened: DirectContext[] = [];
    try {
      const passing = model.openContext({ ...shape, sequences: 1 }, tap);
      opened.push(passing);
      return new SharedLayers({ model, chain, tap, passing, decoding: model.openContext(shape), work }, shape);
    } catch (error) {
      // Mostly memory ran out: what goes on without shared layers needs it.
      for (const context of opened) context.close();
      chain.close();
      throw error;
    }
  }

  async answer(
    request: SharedRequest,
    vocabulary: WaveVocabulary,
    onGeneration: (shared: SharedGeneration) => void,
  ): Promise<void> {
    const longest = Math.max(1, ...request.prompts.map(({ tokens }) => tokens.length + request.maxTokens));
    const most = Math.min(this.shape.sequences, this.textsAtOnce(request.boundaries, longest));
    for (let start = 0; start < request.prompts.length; start += most) {
      const prompts = request.prompts.slice(start, start + most);
      await new SharedWave(this.parts, this.texts, { ...request, prompts }, vocabulary, onGeneration).answer();
    }
  }

  async weigh(request: SharedLikelihoodRequest, onLikelihood: (shared: SharedLikelihood) => void): Promise<void> {
    const longest = Math.max(
      1,
      ...request.prompts.map(({ tokens, continuation }) => tokens.length + continuation.length),
    );
    const most = this.textsAtOnce(request.boundaries, longest);
    for (let start = 0; start < request.prompts.length; start += most) {
      const prompts = request.prompts.slice(start, start + most);
      await weighShared(this.texts, this.parts.model, { ...request, prompts }, onLikelihood);
    }
  }

  /**
   * Runs the base model's own hidden states through the chain.
   * @returns what differs from the base model itself; undefined where nothing does, bit for bit.
   */
  wrongLayer(tokens: readonly number[]): string | undefined {
    const { model, passing, chain, tap } = this.parts;
    const { library, embeddingLength, layerCount } = model;
    const count = tokens.length;
    const firstOutput = Math.floor(count / 2);
    const outputs = Array.from({ length: layerCount - 1 }, () =>
      allocate(library, Float32Array, count * embeddingLength),
    );
    try {
      passing.clear();
      passing.setAdapters([]);
      const batch = tokens.map((token, position) => ({
        token,
        position,
        sequence: 0,
        output: position >= firstOutput,
      }));
      const logits = tap.collect(
        count,
        outputs.length,
        (layer) => outputs[layer]?.address,
        () => passing.decode(batch),
      );
      const [first] = outputs;
      if (!first) return "the model has a single layer";
      let wrong: string | undefined;
      chain.forget(1, 0);
      const rows = chain.run(
        1,
        { address: first.address, count, position: 0, firstOutput, asIfAlone: false },
        (layer, output) => {
          const own = output.values.subarray(0, count * embeddingLength);
          if (!equalBits(own, outputs[layer]?.values)) wrong ??= `layer ${layer} by itself differs from the model's`;
        },
      );
      if (wrong === undefined && !(rows.length === logits.length && rows.every((row, i) => equalBits(row, logits[i]))))
        wrong = "the last layer by itself differs from the model's";
      return wrong;
    } finally {
      for (const output of outputs) release(library, output);
    }
  }

  /** How many texts fit into {@link HIDDEN_BYTES}, at least one. @param longest tokens of a text. */
  private textsAtOnce(boundaries: SharedRequest["boundaries"], longest: number): number {
    const { layerCount, embeddingLength } = this.parts.model;
    const between = boundaries.filter(({ boundary }) => boundary > 0 && boundary < layerCount).length;
    const bytes = between * longest * embeddingLength * Float32Array.BYTES_PER_ELEMENT;
    return Math.max(1, Math.floor(HIDDEN_BYTES / Math.max(1, bytes)));
  }

  close(): void {
    const { chain, passing, decoding } = this.parts;
    chain.close();
    passing.close();
    decoding.close();
  }
}
