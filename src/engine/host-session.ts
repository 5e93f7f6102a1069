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
import type {
  BackendInfo,
  ContextShape,
  EngineInfo,
  GenerateRequest,
  Generation,
  Likelihood,
  LikelihoodRequest,
  LogitsRequest,
} from "./engine.js";
import { directLikelihood, nodeLikelihood } from "./likelihood.js";
import type { HostCalls } from "./protocol.js";
import { SamplerGarbage } from "./sampler-garbage.js";
import type { ServingOptions } from "./serving.js";
import { ServingSession } from "./serving-session.js";
import type { DirectModel } from "./direct/direct-model.js";
import { DirectDecoder } from "./direct/direct-decoder.js";
import { NodeDecoder } from "./node-decoder.js";
import { generateWave, type WaveDecoder } from "./wave.js";

interface OpenContext {
  readonly key: string;
  readonly decoder: WaveDecoder;
  /** Logits of the token after these. */
  logitsAfter(tokens: readonly number[]): Promise<Float32Array>;
  likelihood(prompt: LikelihoodRequest["prompts"][number]): Promise<Likelihood>;
  close(): Promise<void>;
}

/** The model inside the engine's process, with at most one context: that of the mask last asked for. */
export class HostSession {
  private current: OpenContext | undefined;
  private readonly garbage: SamplerGarbage;

  private constructor(
    private readonly model: LlamaModel,
    /** Where llama.cpp is called directly, `model` is its vocabulary only. */
    private readonly direct: DirectModel | undefined,
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
    return new HostSession(model, direct, threads, info);
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
    const { decoder } = await this.contextFor(request.pieces, request.context);
    const vocabulary = {
      isEndOfGeneration: (token: number) => this.model.isEogToken(token as Token),
      text: (tokens: readonly number[]) => this.model.detokenize(tokens as readonly Token[]),
    };
    return generateWave(decoder, vocabulary, request.prompts, request, onGeneration);
  }

  async nextTokenLogits({ pieces, context: shape, tokens }: LogitsRequest): Promise<Float32Array> {
    const context = await this.contextFor(pieces, shape);
    const logits = await context.logitsAfter(tokens);
    await context.decoder.clear();
    return logits;
  }

  async logLikelihoods({ pieces, context: shape, prompts }: LikelihoodRequest): Promise<Likelihood[]> {
    const context = await this.contextFor(pieces, shape);
    const likelihoods: Likelihood[] = [];
    for (const prompt of prompts) likelihoods.push(await context.likelihood(prompt));
    return likelihoods;
  }

  /** A session that answers many requests at once, with contexts of its own. */
  serve(options: ServingOptions): ServingSession {
    const { model, garbage } = this;
    const openContext = (pieces: readonly ScaledPiece[]): Promise<LlamaContext> =>
      this.openContext(pieces, options.context);
    return new ServingSession({ model, garbage, openContext }, options);
  }

  /** A fresh context for every mask: the key/value cache does not notice a change of adapter. */
  private async contextFor(pieces: readonly ScaledPiece[], shape: ContextShape): Promise<OpenContext> {
    const key = JSON.stringify([pieces, shape]);
    if (this.current?.key === key) return this.current;
    await this.current?.close();
    this.current = undefined;
    this.current = this.direct
      ? this.directContext(this.direct, key, pieces, shape)
      : await this.nodeContext(key, pieces, shape);
    return this.current;
  }

  private directContext(
    model: DirectModel,
    key: string,
    pieces: readonly ScaledPiece[],
    shape: ContextShape,
  ): OpenContext {
    const context = model.openContext(pieces, shape);
    return {
      key,
      decoder: new DirectDecoder(context),
      logitsAfter: (tokens) => Promise.resolve(Float32Array.from(context.prefill(tokens, 0))),
      likelihood: (prompt) => Promise.resolve(directLikelihood(context, prompt, shape.batchSize)),
      close: () => {
        context.close();
        return Promise.resolve();
      },
    };
  }

  private async nodeContext(key: string, pieces: readonly ScaledPiece[], shape: ContextShape): Promise<OpenContext> {
    const context = await this.openContext(pieces, shape);
    const sequences = Array.from({ length: shape.sequences }, () => context.getSequence());
    return {
      key,
      decoder: new NodeDecoder(sequences, this.garbage),
      logitsAfter: (tokens) => logitsAfter(sequences[0], tokens, this.info.vocabulary),
      likelihood: (prompt) => nodeLikelihood(sequences[0], prompt, this.info.vocabulary),
      close: () => context.dispose(),
    };
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
  const logits = new Float32Array(vocabulary).fill(Number.NEGATIVE_INFINITY);
  for (const [token, logit] of output.at(-1)?.next.logits ?? []) logits[token] = logit;
  return logits;
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

/** Opens the prebuilt llama.cpp; never builds or downloads one. */
async function loadLlama(gpu: HostCalls["open"]["params"]["gpu"]): Promise<Llama> {
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
