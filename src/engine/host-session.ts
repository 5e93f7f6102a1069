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
import type { BackendInfo, ContextShape, EngineInfo, GenerateRequest, Generation, LogitsRequest } from "./engine.js";
import type { HostCalls } from "./protocol.js";
import { SamplerGarbage } from "./sampler-garbage.js";
import type { ServingOptions } from "./serving.js";
import { ServingSession } from "./serving-session.js";
import { generateWave } from "./wave.js";

interface OpenContext {
  readonly key: string;
  readonly context: LlamaContext;
  readonly sequences: readonly LlamaContextSequence[];
}

/** The model inside the engine's process, with at most one context: that of the mask last asked for. */
export class HostSession {
  private current: OpenContext | undefined;
  private readonly garbage: SamplerGarbage;

  private constructor(
    private readonly model: LlamaModel,
    private readonly threads: number,
    readonly info: EngineInfo,
  ) {
    this.garbage = new SamplerGarbage(info.vocabulary);
  }

  static async open(options: HostCalls["open"]["params"]): Promise<HostSession> {
    const llama = await loadLlama(options.gpu);
    // The engine's own default takes more threads than there are cores in a container; its threads spin at barriers, so that costs a factor of 20.
    const threads = options.threads ?? Math.max(1, Math.min(llama.cpuMathCores, options.usableCores));
    const model = await llama.loadModel({
      modelPath: options.modelPath,
      ...(llama.gpu === false ? {} : { gpuLayers: options.gpuLayers }),
    });
    const { backend, devices, llamaCpp, nodeLlamaCpp } = await describeBackend(llama);
    const info: EngineInfo = {
      backend,
      devices,
      gpuLayers: model.gpuLayers,
      threads,
      llamaCpp,
      nodeLlamaCpp,
      vocabulary: model.fileInfo.metadata.tokenizer.ggml.tokens.length,
    };
    return new HostSession(model, threads, info);
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
    const { sequences } = await this.contextFor(request.pieces, request.context);
    return generateWave(
      { model: this.model, sequences, garbage: this.garbage },
      request.prompts,
      request,
      onGeneration,
    );
  }

  async nextTokenLogits({ pieces, context: shape, tokens }: LogitsRequest): Promise<Float32Array> {
    const { sequences } = await this.contextFor(pieces, shape);
    const sequence = sequences[0];
    const last = tokens.at(-1);
    if (!sequence || last === undefined) throw new RangeError("nothing to evaluate");
    const output = await sequence.controlledEvaluate([
      ...(tokens.slice(0, -1) as Token[]),
      [last as Token, { generateNext: { logits: true } }],
    ]);
    await sequence.clearHistory();
    const logits = new Float32Array(this.info.vocabulary).fill(Number.NEGATIVE_INFINITY);
    for (const [token, logit] of output.at(-1)?.next.logits ?? []) logits[token] = logit;
    return logits;
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
    await this.current?.context.dispose();
    this.current = undefined;
    const context = await this.openContext(pieces, shape);
    const sequences = Array.from({ length: shape.sequences }, () => context.getSequence());
    this.current = { key, context, sequences };
    return this.current;
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
