import { getLlama, getModuleVersion, LlamaLogLevel, type Llama, type LlamaModel, type Token } from "node-llama-cpp";
import type { WaveVocabulary } from "./answer.js";
import { DirectModel } from "./direct/direct-model.js";
import { DirectSession } from "./direct/direct-session.js";
import { llamaLibrary } from "./direct/llama-library.js";
import type { BackendInfo, EngineInfo, GpuChoice } from "./engine.js";
import { layersOnGpu } from "./gpu-layers.js";
import type { LayerReader } from "./layer-reader.js";
import type { EngineCalls } from "./methods.js";
import type { HostCalls } from "./protocol.js";
import type { ServingOptions } from "./serving/serving.js";
import { ServingSession } from "./serving/serving-session.js";

/** The backend that was asked for is not there, or has no device. */
export class MissingBackendError extends Error {}

type Handler = (request: unknown, onEvent: (event: never) => void) => unknown;

/** The model inside the engine's process. */
export class HostSession {
  private readonly session: DirectSession;

  private constructor(
    /** The vocabulary only. */
    private readonly model: LlamaModel,
    private readonly direct: DirectModel,
    readonly info: EngineInfo,
  ) {
    const vocabulary: WaveVocabulary = {
      isEndOfGeneration: (token) => model.isEogToken(token as Token),
      text: (tokens) => model.detokenize(tokens as readonly Token[]),
    };
    this.session = new DirectSession(direct, vocabulary);
  }

  static async open(options: HostCalls["open"]["params"]): Promise<HostSession> {
    const llama = await loadLlama(options.gpu);
    // The engine's own default takes more threads than there are cores in a container; its threads spin at barriers, so that costs a factor of 20.
    const threads = options.threads ?? Math.max(1, Math.min(llama.cpuMathCores, options.usableCores));
    const gpuLayers = await layersOnGpu(llama, options);
    const library = llamaLibrary(llama.llamaCppRelease.release);
    const direct = DirectModel.load(library, options.modelPath, { threads, gpuLayers });
    const model = await llama.loadModel({ modelPath: options.modelPath, vocabOnly: true });
    const { backend, devices, llamaCpp, nodeLlamaCpp } = await describeBackend(llama);
    return new HostSession(model, direct, {
      backend,
      devices,
      gpuLayers,
      threads,
      llamaCpp,
      nodeLlamaCpp,
      vocabulary: model.fileInfo.metadata.tokenizer.ggml.tokens.length,
    });
  }

  tokenize(texts: readonly string[]): number[][] {
    const { bos, shouldPrependBosToken } = this.model.tokens;
    return texts.map((text) => {
      const tokens = this.model.tokenize(text, true);
      const lacksBos = shouldPrependBosToken && bos !== null && tokens[0] !== bos;
      return lacksBos ? [bos, ...tokens] : tokens;
    });
  }

  /** Peak resident memory of this process so far, in bytes. */
  peakMemory(): number {
    return process.resourceUsage().maxRSS * 1024;
  }

  /** Makes a call by its name: what answers is a method of a session, what reads layers a function of its own. */
  call(method: keyof EngineCalls, request: unknown, onEvent: (event: never) => void): unknown {
    // The parent's table of methods pairs each name with the type of its request.
    for (const one of [this, this.session]) {
      if (method in one) return (one as unknown as Record<string, Handler>)[method]?.(request, onEvent);
    }
    return (this.session.layerMethod(method as keyof LayerReader) as Handler)(request, onEvent);
  }

  /** A session that answers many requests at once, with contexts of its own. */
  serve(options: ServingOptions): ServingSession {
    return new ServingSession({ model: this.model, direct: this.direct }, options);
  }

  /** Frees the model with all contexts and adapters of it. */
  async close(): Promise<void> {
    this.session.release();
    await this.model.dispose();
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

/** llama.cpp as it was opened, by backend: a process that opens one model after the other loads it once. */
const opened = new Map<GpuChoice, Promise<Llama>>();

/** Opens the prebuilt llama.cpp; never builds or downloads one. */
async function loadLlama(gpu: GpuChoice): Promise<Llama> {
  const llama = opened.get(gpu) ?? prebuiltLlama(gpu);
  opened.set(gpu, llama);
  return llama;
}

async function prebuiltLlama(gpu: GpuChoice): Promise<Llama> {
  const llama = await getLlama({
    build: "never",
    gpu: gpu === "off" ? false : gpu,
    maxThreads: 0,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => {
      process.stderr.write(`[${level}] ${message.trimEnd()}\n`);
    },
  });
  if (gpu === "auto" || gpu === "off") return llama;
  // A loader without a driver, or a library that could not be opened: llama.cpp then computes on the CPU and says nothing.
  if (llama.gpu !== gpu) throw new MissingBackendError(`llama.cpp came up with ${llama.gpu || "the CPU"} instead`);
  if ((await llama.getGpuDeviceNames()).length === 0) throw new MissingBackendError(`${gpu} finds no device here`);
  return llama;
}
