import {
  getLlama,
  getModuleVersion,
  LlamaLogLevel,
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  type LlamaModel,
  type Token,
} from "node-llama-cpp";
import type { ScaledPiece } from "../adapter/pieces.js";
import type { WaveVocabulary } from "./answer.js";
import { answerPrompts } from "./answer-prompts.js";
import type { DirectModel } from "./direct/direct-model.js";
import type { DirectSession } from "./direct/direct-session.js";
import type {
  BackendInfo,
  EngineInfo,
  GenerateRequest,
  Generation,
  GpuChoice,
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
} from "./engine.js";
import type { ContextShape } from "./layer-passes.js";
import type { LayerReader } from "./layer-reader.js";
import type { EngineCalls } from "./methods.js";
import { nodeLikelihood } from "./likelihood.js";
import { NodeDecoder } from "./node-decoder.js";
import { logitsOf } from "./node-results.js";
import type { HostCalls } from "./protocol.js";
import { SamplerGarbage } from "./serving/sampler-garbage.js";
import type { ServingOptions } from "./serving/serving.js";
import { ServingSession } from "./serving/serving-session.js";

/** A context of node-llama-cpp under one mask. */
interface NodeContext {
  readonly key: string;
  readonly decoder: NodeDecoder;
  readonly first: LlamaContextSequence | undefined;
  close(): Promise<void>;
}

/** The model inside the engine's process, with at most one context: that of the mask last asked for. */
export class HostSession {
  private current: NodeContext | undefined;
  private readonly garbage: SamplerGarbage;

  private constructor(
    private readonly model: LlamaModel,
    /** Where llama.cpp is called directly, `model` is its vocabulary only. */
    private readonly direct: DirectSession | undefined,
    private readonly vocabulary: WaveVocabulary,
    private readonly threads: number,
    readonly info: EngineInfo,
  ) {
    this.garbage = new SamplerGarbage(info.vocabulary);
  }

  static async open(options: HostCalls["open"]["params"]): Promise<HostSession> {
    const llama = await loadLlama(options.gpu);
    // The engine's own default takes more threads than there are cores in a container; its threads spin at barriers, so that costs a factor of 20.
    const threads = options.threads ?? Math.max(1, Math.min(llama.cpuMathCores, options.usableCores));
    const direct = options.calls === "node" ? undefined : await openDirect(llama, options.modelPath, threads);
    const model = await llama.loadModel({
      modelPath: options.modelPath,
      vocabOnly: direct !== undefined,
      ...(llama.gpu === false ? {} : { gpuLayers: options.gpuLayers }),
    });
    const { backend, devices, llamaCpp, nodeLlamaCpp } = await describeBackend(llama);
    const info: EngineInfo = {
      backend,
      calls: direct ? "direct" : "node",
      devices,
      gpuLayers: direct ? 0 : model.gpuLayers,
      threads,
      llamaCpp,
      nodeLlamaCpp,
      vocabulary: model.fileInfo.metadata.tokenizer.ggml.tokens.length,
    };
    const vocabulary: WaveVocabulary = {
      isEndOfGeneration: (token) => model.isEogToken(token as Token),
      text: (tokens) => model.detokenize(tokens as readonly Token[]),
    };
    return new HostSession(model, await directSession(direct, vocabulary), vocabulary, threads, info);
  }

  tokenize(texts: readonly string[]): number[][] {
    const { bos, shouldPrependBosToken } = this.model.tokens;
    return texts.map((text) => {
      const tokens = this.model.tokenize(text, true);
      const lacksBos = shouldPrependBosToken && bos !== null && tokens[0] !== bos;
      return lacksBos ? [bos, ...tokens] : tokens;
    });
  }

  async generate(request: GenerateRequest, onGeneration: (generation: Generation) => void): Promise<Generation[]> {
    if (this.direct) return this.direct.generate(request, onGeneration);
    const { decoder } = await this.contextFor(request.pieces, request.context);
    return answerPrompts(decoder, this.vocabulary, request, { onGeneration });
  }

  async generateShared(request: SharedRequest, onGeneration: (shared: SharedGeneration) => void): Promise<void> {
    if (!this.direct) throw new Error("layers are shared where llama.cpp is called directly");
    await this.direct.generateShared(request, onGeneration);
  }

  async shortcuts(request: ShortcutRequest): Promise<Shortcuts> {
    if (this.direct) return this.direct.shortcuts(request);
    return {
      invariantTokens: 0,
      sharedLayers: false,
      reasons: ["llama.cpp is called through node-llama-cpp here"],
    };
  }

  work(): Work | undefined {
    return this.direct?.work();
  }

  async nextTokenLogits({ pieces, context: shape, tokens }: LogitsRequest): Promise<Float32Array> {
    if (this.direct) return this.direct.logitsAfter(pieces, shape, tokens);
    const context = await this.contextFor(pieces, shape);
    const logits = await logitsAfter(context.first, tokens, this.info.vocabulary);
    // Whoever asks for logits asks under many masks, and a server asks before it makes its own contexts.
    await this.closeContext();
    return logits;
  }

  async logLikelihoods(request: LikelihoodRequest): Promise<Likelihood[]> {
    if (this.direct) return this.direct.likelihoods(request);
    const { first } = await this.contextFor(request.pieces, request.context);
    const likelihoods: Likelihood[] = [];
    for (const prompt of request.prompts) likelihoods.push(await nodeLikelihood(first, prompt, this.info.vocabulary));
    return likelihoods;
  }

  async logLikelihoodsShared(
    request: SharedLikelihoodRequest,
    onLikelihood: (shared: SharedLikelihood) => void,
  ): Promise<void> {
    if (!this.direct) throw new Error("layers are shared where llama.cpp is called directly");
    await this.direct.likelihoodsShared(request, onLikelihood);
  }

  /** Peak resident memory of this process so far, in bytes. */
  peakMemory(): number {
    return process.resourceUsage().maxRSS * 1024;
  }

  /** Makes a call by its name: what answers is a method of this session, what reads layers a function of its own. */
  call(method: keyof EngineCalls, request: unknown, onEvent: (event: never) => void): unknown {
    // The parent's table of methods pairs each name with the type of its request.
    type Handler = (request: unknown, onEvent: (event: never) => void) => unknown;
    if (method in this) return (this as unknown as Record<string, Handler>)[method]?.(request, onEvent);
    if (!this.direct) throw new Error(`${method} needs llama.cpp to be called directly`);
    return (this.direct.layerMethod(method as keyof LayerReader) as Handler)(request, onEvent);
  }

  /** A session that answers many requests at once, with contexts of its own. */
  serve(options: ServingOptions): ServingSession {
    const { model, garbage } = this;
    const openContext = (pieces: readonly ScaledPiece[]): Promise<LlamaContext> =>
      this.openContext(pieces, options.context);
    return new ServingSession({ model, garbage, openContext }, options);
  }

  /** A fresh context for every mask: the key/value cache does not notice a change of adapter. */
  private async contextFor(pieces: readonly ScaledPiece[], shape: ContextShape): Promise<NodeContext> {
    const key = JSON.stringify([pieces, shape]);
    if (this.current?.key === key) return this.current;
    await this.closeContext();
    const context = await this.openContext(pieces, shape);
    const sequences = Array.from({ length: shape.sequences }, () => context.getSequence());
    this.current = {
      key,
      decoder: new NodeDecoder(sequences, this.garbage, shape.batchSize),
      first: sequences[0],
      close: () => context.dispose(),
    };
    return this.current;
  }

  /** Frees the model with all contexts and adapters of it. */
  async close(): Promise<void> {
    await this.closeContext();
    this.direct?.release();
    await this.model.dispose();
  }

  private async closeContext(): Promise<void> {
    await this.current?.close();
    this.current = undefined;
  }

  private openContext(pieces: readonly ScaledPiece[], shape: ContextShape): Promise<LlamaContext> {
    return this.model.createContext({
      sequences: shape.sequences,
      contextSize: shape.contextSize,
      batchSize: shape.batchSize,
      threads: this.threads,
      flashAttention: shape.flashAttention === "off" ? false : "auto",
      experimentalKvCacheKeyType: shape.cacheType,
      experimentalKvCacheValueType: shape.cacheType,
      failedCreationRemedy: false,
      lora: { adapters: pieces.map(({ path, scale }) => ({ filePath: path, scale })) },
    });
  }
}

/** The model for direct calls, where they are known to fit this build; on a GPU they are not tried. */
async function openDirect(llama: Llama, path: string, threads: number): Promise<DirectModel | undefined> {
  if (llama.gpu !== false) return undefined;
  try {
    const { llamaLibrary } = await import("./direct/llama-library.js");
    const { DirectModel } = await import("./direct/direct-model.js");
    return DirectModel.load(llamaLibrary(llama.llamaCppRelease.release), path, threads);
  } catch (error) {
    process.stderr.write(`calling llama.cpp through node-llama-cpp: ${String(error)}\n`);
    return undefined;
  }
}

async function directSession(
  model: DirectModel | undefined,
  vocabulary: WaveVocabulary,
): Promise<DirectSession | undefined> {
  if (!model) return undefined;
  const { DirectSession } = await import("./direct/direct-session.js");
  return new DirectSession(model, vocabulary);
}

async function logitsAfter(
  sequence: LlamaContextSequence | undefined,
  tokens: readonly number[],
  vocabulary: number,
): Promise<Float32Array> {
  const last = tokens.at(-1);
  if (!sequence || last === undefined) throw new RangeError("nothing to evaluate");
  const output = await sequence.controlledEvaluate([
    ...(tokens.slice(0, -1) as Token[]),
    [last as Token, { generateNext: { logits: true } }],
  ]);
  return logitsOf(output, -1, vocabulary);
}

/** What a backend offers; the backend is loaded for it, but no model. */
export async function probeBackend(gpu: HostCalls["probe"]["params"]): Promise<BackendInfo> {
  return describeBackend(await loadLlama(gpu));
}

async function describeBackend(llama: Llama): Promise<BackendInfo> {
  return {
    backend: llama.gpu === false ? "cpu" : llama.gpu,
    devices: llama.gpu === false ? [] : await llama.getGpuDeviceNames(),
    gpuMemory: llama.gpu === false ? 0 : (await llama.getVramState()).total,
    mathCores: llama.cpuMathCores,
    llamaCpp: llama.llamaCppRelease.release,
    nodeLlamaCpp: await getModuleVersion(),
  };
}

/** llama.cpp as it was opened, by backend: a process that opens one model after the other loads it once. */
const opened = new Map<GpuChoice, Promise<Llama>>();

/** Opens the prebuilt llama.cpp; never builds or downloads one. */
async function loadLlama(gpu: GpuChoice): Promise<Llama> {
  const llama = opened.get(gpu) ?? prebuiltLlama(gpu);
  opened.set(gpu, llama);
  return llama;
}

async function prebuiltLlama(gpu: GpuChoice): Promise<Llama> {
  return getLlama({
    build: "never",
    gpu: gpu === "off" ? false : gpu,
    maxThreads: 0,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => {
      process.stderr.write(`[${level}] ${message.trimEnd()}\n`);
    },
  });
}
