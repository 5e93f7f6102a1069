import type { EngineInfo, EngineOptions, LogitsRequest } from "../engine.js";
import { usableCores } from "../machine.js";
import { HostProcess, resolveGpu } from "../process-engine.js";
import type { ServedAnswer, ServingDelta, ServingEngine, ServingOptions, ServingRequest } from "./serving.js";

/**
 * Starts a process for the engine, loads the model in it and makes it ready to answer many requests at once.
 * @param serving how, by what the engine turned out to be.
 * @throws EngineError when the backend or the model cannot be loaded, MemoryError when memory is short.
 */
export async function openServingEngine(
  options: EngineOptions,
  serving: (info: EngineInfo) => ServingOptions,
): Promise<ServingEngine> {
  const gpu = await resolveGpu(options.gpu);
  const host = await HostProcess.forModel(gpu);
  try {
    const info = await host.call(
      "open",
      { ...options, gpu, usableCores: usableCores() },
      `loading ${options.givenPath ?? options.modelPath}`,
    );
    await host.call("serve", serving(info), "preparing to serve");
    return new ProcessServingEngine(host, info);
  } catch (error) {
    await host.close();
    throw error;
  }
}

class ProcessServingEngine implements ServingEngine {
  private answers = 0;

  constructor(
    private readonly host: HostProcess,
    readonly info: ServingEngine["info"],
  ) {}

  get ended(): Promise<void> {
    return this.host.ended;
  }

  tokenize(texts: readonly string[]): Promise<number[][]> {
    return this.host.call("tokenize", texts, "tokenising a prompt");
  }

  nextTokenLogits(request: LogitsRequest): Promise<Float32Array> {
    return this.host.call("nextTokenLogits", request, `computing logits with ${request.pieces.length} adapter pieces`);
  }

  async prepare(pieces: ServingRequest["pieces"]): Promise<void> {
    await this.host.call("prepare", pieces, `making a context with ${pieces.length} adapter pieces`);
  }

  async answer(
    request: Omit<ServingRequest, "id" | "stream">,
    { onDelta, signal }: { onDelta?: (delta: ServingDelta) => void; signal?: AbortSignal } = {},
  ): Promise<ServedAnswer> {
    const id = String(this.answers++);
    const cancel = (): void => {
      // Where the process has ended, the answer itself fails and tells why.
      this.host.call("cancel", id, "cancelling an answer").catch(() => undefined);
    };
    const answer = this.host.call(
      "answer",
      { ...request, id, stream: onDelta !== undefined },
      `answering with ${request.pieces.length} adapter pieces`,
      onDelta,
    );
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await answer;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  status(): ReturnType<ServingEngine["status"]> {
    return this.host.call("servingStatus", null, "asking the engine how it is");
  }

  close(): Promise<void> {
    return this.host.release();
  }
}
