import { stat } from "node:fs/promises";
import type { ScaledPiece } from "../../adapter/pieces.js";
import { readGgufHeader } from "../../formats/gguf-reader.js";
import { messageOf } from "../../errors.js";
import type { WaveVocabulary } from "../answer.js";
import { answerPrompts } from "../answer-prompts.js";
import type {
  GenerateRequest,
  Generation,
  Likelihood,
  LikelihoodRequest,
  LogitsRequest,
  SharedGeneration,
  SharedLikelihood,
  SharedLikelihoodRequest,
  SharedRequest,
  ShortcutRequest,
  Shortcuts,
  Work,
} from "../engine.js";
import type { ContextShape } from "../layer-passes.js";
import type { LayerReader } from "../layer-reader.js";
import { likelihoodOf } from "../likelihood.js";
import { availableMemory } from "../machine.js";
import type { DirectContext } from "./direct-context.js";
import { DirectDecoder } from "./direct-decoder.js";
import type { DirectModel } from "./direct-model.js";
import { layerMethods } from "./layer-methods.js";
import { layerwiseRefusal } from "./one-layer-models.js";
import { SharedLayers } from "./shared-layers.js";
import { masksOf, TRIAL_TOKENS, tryBatches } from "./shortcuts.js";
import { TextReader } from "./text-reader.js";
import { WorkCounter } from "./work-counter.js";

/** Tokens that a trial of shared layers generates. */
const TRIAL_ANSWER = 4;

/** What a session has open at a time: a context under the mask last asked for, or what all boundaries share. */
type Open =
  | { readonly kind: "mask"; readonly key: string; readonly context: DirectContext; readonly decoder: DirectDecoder }
  | { readonly kind: "shared"; readonly key: string; readonly layers: SharedLayers };

/** A model inside the engine's process that is called directly. */
export class DirectSession {
  private open: Open | undefined;
  private readonly counter: WorkCounter;

  constructor(
    private readonly model: DirectModel,
    private readonly vocabulary: WaveVocabulary,
  ) {
    this.counter = new WorkCounter(model.layerCount);
  }

  async generate(request: GenerateRequest, onGeneration: (generation: Generation) => void): Promise<Generation[]> {
    const { decoder } = this.contextFor(request.pieces, request.context);
    return answerPrompts(decoder, this.vocabulary, request, {
      onGeneration,
      onDraft: (tried, taken) => {
        this.counter.drafted(tried, taken);
      },
    });
  }

  nextTokenLogits({ pieces, context: shape, tokens }: LogitsRequest): Float32Array {
    const context = this.model.openContext(shape);
    try {
      context.setAdapters(this.model.adaptersOf(pieces, "plain"));
      return Float32Array.from(context.prefill(tokens, 0));
    } finally {
      context.close();
    }
  }

  logLikelihoods({ pieces, context: shape, prompts }: LikelihoodRequest): Likelihood[] {
    const context = this.model.openContext({ ...shape, sequences: 1 });
    try {
      const reader = new TextReader(context);
      reader.begin(this.model.adaptersOf(pieces, "plain"));
      return prompts.map((prompt) => likelihoodOf(reader, prompt));
    } finally {
      context.close();
    }
  }

  /** What reads layers in this way. */
  layerMethod<M extends keyof LayerReader>(method: M): (...given: Parameters<LayerReader[M]>) => unknown {
    const read = layerMethods[method] as (model: DirectModel, ...given: Parameters<LayerReader[M]>) => unknown;
    return (...given) => read(this.model, ...given);
  }

  async generateShared(request: SharedRequest, onGeneration: (shared: SharedGeneration) => void): Promise<void> {
    const layers = await this.sharedFor(request.context);
    await layers.answer(request, this.vocabulary, onGeneration);
  }

  async logLikelihoodsShared(
    request: SharedLikelihoodRequest,
    onLikelihood: (shared: SharedLikelihood) => void,
  ): Promise<void> {
    const layers = await this.sharedFor(request.context);
    await layers.weigh(request, onLikelihood);
  }

  work(): Work {
    return this.counter.snapshot();
  }

  /** Tries the shortcuts on the beginning of a prompt; leaves what shared layers need open. */
  async shortcuts(request: ShortcutRequest): Promise<Shortcuts> {
    this.close();
    const { cells, refusal } = tryBatches(this.model, request);
    const shared = await this.sharedRefusal(request, cells);
    return {
      invariantTokens: cells,
      sharedLayers: shared === undefined,
      reasons: [
        ...(refusal === undefined
          ? []
          : [`answers ${cells === 0 ? "" : `beyond ${cells} tokens `}are decoded alone: ${refusal}`]),
        ...(shared === undefined ? [] : [`lower layers are computed for each boundary: ${shared}`]),
      ],
    };
  }

  /** Frees the model and all that is open of it. */
  release(): void {
    this.close();
    this.model.close();
  }

  private close(): void {
    if (this.open?.kind === "mask") this.open.context.close();
    else this.open?.layers.close();
    this.open = undefined;
  }

  private async sharedRefusal(request: ShortcutRequest, invariantTokens: number): Promise<string | undefined> {
    const { boundary } = request;
    if (!boundary) return "no boundary between base and full is tried";
    const refusal = layerwiseRefusal(await readGgufHeader(this.model.path), request.context.contextSize);
    if (refusal !== undefined) return refusal;
    const { size } = await stat(this.model.path);
    if (size > availableMemory() / 2) return "the model's layers do not fit into memory a second time";
    try {
      const layers = await this.sharedFor(request.context);
      const wrong = layers.wrongLayer(request.tokens.slice(0, TRIAL_TOKENS));
      if (wrong !== undefined) return wrong;
      return (await this.sharedAnswersDiffer(layers, boundary, request, invariantTokens))
        ? "answers put together from both parts differ from plain ones here"
        : undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Whether the boundary of the request answers two prompts otherwise when it shares layers than by itself. */
  private async sharedAnswersDiffer(
    layers: SharedLayers,
    boundary: SharedRequest["boundaries"][number],
    { full, context, tokens }: ShortcutRequest,
    invariantTokens: number,
  ): Promise<boolean> {
    const prompts = [
      { id: "0", tokens: tokens.slice(0, TRIAL_TOKENS) },
      { id: "1", tokens: tokens.slice(0, TRIAL_TOKENS - 1) },
    ].slice(0, context.sequences);
    const settings = { context, maxTokens: TRIAL_ANSWER, stop: [], invariantTokens };
    const seen: string[] = [];
    const boundaries = [boundary, { boundary: this.model.layerCount, pieces: full }];
    await layers.answer({ ...settings, full, boundaries, prompts }, this.vocabulary, (answer) => {
      if (answer.boundary === boundary.boundary) seen.push(factsOf(answer.generation));
    });
    const alone = this.model.openContext(context);
    try {
      const decoder = new DirectDecoder(alone, masksOf(this.model, boundary.pieces));
      const plain = await answerPrompts(decoder, this.vocabulary, { ...settings, prompts });
      return plain.map(factsOf).sort().join() !== seen.sort().join();
    } finally {
      alone.close();
    }
  }

  private async sharedFor(shape: ContextShape): Promise<SharedLayers> {
    const key = JSON.stringify(shape);
    if (this.open?.kind === "shared" && this.open.key === key) return this.open.layers;
    this.close();
    const layers = await SharedLayers.open(this.model, shape, this.counter);
    this.open = { kind: "shared", key, layers };
    return layers;
  }

  /** A fresh context for every mask: the key/value cache does not notice a change of adapter. */
  private contextFor(pieces: readonly ScaledPiece[], shape: ContextShape): Open & { kind: "mask" } {
    const key = JSON.stringify([pieces, shape]);
    if (this.open?.kind === "mask" && this.open.key === key) return this.open;
    this.close();
    const context = this.model.openContext(shape);
    const decoder = new DirectDecoder(context, masksOf(this.model, pieces));
    this.open = { kind: "mask", key, context, decoder };
    return this.open;
  }
}

function factsOf({ id, tokens, stopReason }: Generation): string {
  return JSON.stringify([id, tokens, stopReason]);
}
