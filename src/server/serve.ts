import { gib } from "../files/gib.js";
import { pino, destination } from "pino";
import type { BaseModel } from "../adapter/base-model.js";
import { contextBytes } from "../adapter/model-memory.js";
import type { EngineInfo } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { availableMemory } from "../engine/machine.js";
import { openServingEngine } from "../engine/serving/serving-engine.js";
import type { ServingEngine, ServingOptions } from "../engine/serving/serving.js";
import { EngineCrashError, InterruptedError, MemoryError } from "../errors.js";
import { aborted } from "../engine/aborted.js";
import { InputFiles } from "../files/input-files.js";
import { effectNotes } from "../sweep/effects/effect-notes.js";
import { openUnchanged } from "../sweep/guarded-engine.js";
import { assertPortFree, listen } from "./listen.js";
import { openServedModel, type ServedModel } from "./served-model.js";
import { createServer as createBoundaryServer, type BoundaryServer, type ServerParts } from "./server.js";
import { assertSafeAddress, assertUsableKey, isLoopback, type ServeSettings } from "./settings.js";

/** Where a server listens. */
export interface Listening {
  /** Address for clients, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly served: ServedModel;
  readonly exact: boolean;
  /** What a user should know of the adapter, a sentence each: kinds of module that have no effect. */
  readonly notes: readonly string[];
}

/** How a caller follows a server. */
export interface ServeHooks {
  readonly onListening?: (listening: Listening) => void;
  /** Drains and ends the server. */
  readonly signal?: AbortSignal;
}

const DEFAULT_CONTEXT_SIZE = 4096;
/** Masks kept where the settings name no number: those of base, full and trimmed. */
const DEFAULT_CONTEXTS = 3;
/** Tokens in one llama_decode: the sweep's, so that prompts are cut at the same places. */
const BATCH_SIZE = 512;
/** Memory beside the key/value cache that one context takes: buffers of the computation. */
const CONTEXT_OVERHEAD_BYTES = 64 * 2 ** 20;
const RECEIVING = { headersMs: 10_000, requestMs: 30_000 } as const;

/**
 * Serves until the signal fires, then drains. Everything that can be wrong shows before it listens.
 * @throws a BoundaryError for anything a user can mend; EngineCrashError when the engine's process ended by itself.
 */
export async function serve(settings: ServeSettings, { onListening, signal }: ServeHooks = {}): Promise<void> {
  assertSafeAddress(settings);
  assertUsableKey(settings);
  await assertPortFree(settings);
  const served = await openServedModel(settings);
  const shape = contextShape(settings, served.model);
  const exactOn = (info: EngineInfo): boolean => settings.exact ?? info.backend === "cpu";
  const files = new InputFiles([...served.model.sources, ...served.adapter.sources]);
  let engine: ServingEngine | undefined;
  try {
    assertNotStopped(signal);
    engine = await openUnchanged(files, () =>
      openEngineFor(settings, served, (info) => {
        return { context: shape, contexts: contextsThatFit(settings, served.model, shape, info), exact: exactOn(info) };
      }),
    );
    assertNotStopped(signal);
    const notes = await effectNotes(engine, served.adapter, served.model);
    assertNotStopped(signal);
    // One context with all pieces, so that a lack of memory shows now; the pieces' files are not needed after it.
    await engine.prepare(served.piecesOf(served.model.layerCount));
    await served.close();
    const exact = exactOn(engine.info);
    const server = createBoundaryServer({ ...serverParts(settings, shape), served, engine, exact });
    const url = await listen(server.app, settings);
    onListening?.({ url, served, exact, notes });
    await untilStopped(server, engine, settings, signal);
  } finally {
    await served.close();
    await engine?.close();
  }
}

function openEngineFor(
  { gpu, gpuLayers, threads }: ServeSettings,
  { model }: ServedModel,
  options: (info: EngineInfo) => ServingOptions,
): Promise<ServingEngine> {
  const engine = { modelPath: model.path, gpu, gpuLayers, ...(threads === undefined ? {} : { threads }) };
  return openServingEngine(engine, options);
}

function serverParts(
  settings: ServeSettings,
  { contextSize }: ContextShape,
): Omit<ServerParts, "served" | "engine" | "exact"> {
  const { apiKey, allowOrigin, parallel, queue, maxTokens, maxSeconds, host, bodyLimit, logLevel } = settings;
  return {
    apiKey,
    allowOrigins: allowOrigin,
    loopbackOnly: apiKey === undefined && isLoopback(host),
    limits: { parallel, queue, maxTokens, maxSeconds, contextSize },
    receiving: { bodyBytes: bodyLimit, ...RECEIVING },
    logger: pino({ level: logLevel, base: null }, destination({ dest: 2, sync: true })),
  };
}

/** Waits for the signal or for the engine's end, then lets the answers under way finish. */
async function untilStopped(
  server: BoundaryServer,
  engine: ServingEngine,
  { drainSeconds }: ServeSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const why = await Promise.race([
    aborted(signal).then(() => "stopped" as const),
    engine.ended.then(() => "crashed" as const),
  ]);
  await server.drain(why === "stopped" ? drainSeconds * 1000 : 0);
  if (why === "crashed") {
    const parts = {
      what: "the engine's process ended while serving",
      fix: "Start the server again; nothing is left to repair.",
    };
    throw new EngineCrashError(parts, undefined, "");
  }
}

function assertNotStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
}

function contextShape(settings: ServeSettings, model: BaseModel): ContextShape {
  const { parallel, contextSize } = settings;
  return {
    sequences: parallel,
    contextSize: contextSize ?? Math.min(model.trainContextSize, DEFAULT_CONTEXT_SIZE),
    batchSize: Math.max(BATCH_SIZE, parallel),
    cacheType: "F16",
    flashAttention: "auto",
  };
}

/** How many contexts there may be. @throws MemoryError when not even one fits, or not as many as were asked for. */
function contextsThatFit(
  { contexts }: ServeSettings,
  model: BaseModel,
  { sequences, contextSize }: ContextShape,
  { backend }: EngineInfo,
): number {
  const wanted = contexts ?? DEFAULT_CONTEXTS;
  // What a GPU's memory takes shows when a context is made; an idle one makes room then.
  if (backend !== "cpu") return wanted;
  const each = contextBytes(model, { sequences, contextSize }) + CONTEXT_OVERHEAD_BYTES;
  // The model is mapped from its file: what it takes is not counted as used, but must stay in memory.
  const available = availableMemory() - model.byteLength;
  const fitting = Math.floor(available / each);
  const least = contexts ?? 1;
  if (fitting >= least) return Math.min(wanted, fitting);
  throw new MemoryError(
    {
      what: `not enough memory for the model and ${least} context${least === 1 ? "" : "s"}`,
      actual: `${gib(Math.max(0, available))} available beside the model`,
      expected: `${gib(each * least)} (${sequences} sequences of ${contextSize} tokens each)`,
      fix: "Lower --context-size, --parallel or --contexts, or use a smaller model.",
    },
    each * least,
    available,
  );
}
