import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { readBaseModel, withSha256, type BaseModel } from "../adapter/base-model.js";
import { aborted } from "../engine/aborted.js";
import type { ContextShape, Engine, GpuChoice } from "../engine/engine.js";
import { openEngine } from "../engine/process-engine.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { redact } from "../formats/redact.js";
import { version } from "../version.js";
import { AdapterCache } from "./adapter-cache.js";
import { connectRedis, tellOutages } from "./connection.js";
import { ContentStore } from "./content-store.js";
import { digest } from "../formats/digest.js";
import { EngineSlot } from "./engine-slot.js";
import { fingerprintOf } from "./fingerprint.js";
import { queueName, type Announcement } from "./presence.js";
import { QueueWorker } from "./queue-worker.js";

/** Tokens of the trial that shows how the engine rounds, and how fast it is. */
const TRIAL_TOKENS = 64;
const TRIAL_CONTEXT: ContextShape = {
  sequences: 1,
  contextSize: 256,
  batchSize: 512,
  cacheType: "F16",
  flashAttention: "auto",
};

/** What a worker is started with. */
export interface WorkerSettings {
  readonly redis: string;
  readonly model: string;
  readonly name?: string;
  /** SHA-256 of the adapters that it takes jobs for; undefined for all. */
  readonly allow?: readonly string[];
  readonly gpu: GpuChoice;
  readonly gpuLayers: number | "auto" | "max";
  readonly threads?: number;
  /** Folder for adapters that were fetched. */
  readonly cache: string;
  readonly lockSeconds: number;
  /** Read all of the model and announce its hash. */
  readonly fullHash: boolean;
}

/**
 * Loads a model and answers jobs for it until the signal fires; the job under way then goes back into the queue.
 * @param onLine told what happens, a line each.
 * @throws QueueError when Redis cannot be reached at first; what opening the model throws.
 */
export async function runWorker(
  settings: WorkerSettings,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  const { gpu, gpuLayers, threads } = settings;
  const redis = await connectRedis(settings.redis);
  tellOutages(redis, settings.redis, onLine);
  const model = await readBaseModel(await resolveModelPath(settings.model));
  const engine = new EngineSlot(() => {
    return openEngine({ modelPath: model.path, gpu, gpuLayers, ...(threads === undefined ? {} : { threads }) });
  });
  try {
    const announcement = await introduce(settings, model, await engine.get());
    const store = new ContentStore(redis);
    const adapters = new AdapterCache(settings.cache, model, store);
    const { lockSeconds } = settings;
    const worker = new QueueWorker({ redis, engine, adapters, store, announcement, lockSeconds, onLine });
    await worker.start();
    const { backend, llamaCpp, threads: used } = announcement.engine;
    onLine(
      `worker ${announcement.name} at ${redact(settings.redis)}: ${announcement.model.name}, ${backend}, llama.cpp ${llamaCpp}, ${used} threads`,
    );
    await aborted(signal);
    await worker.close();
  } finally {
    await engine.drop();
    redis.disconnect();
  }
}

async function introduce(
  { name, allow, fullHash }: WorkerSettings,
  model: BaseModel,
  engine: Engine,
): Promise<Omit<Announcement, "jobs" | "answers" | "doing" | "enginePeakBytes">> {
  const { sampled, family, template } = await fingerprintOf(model);
  const whole = fullHash ? { sha256: (await withSha256(model)).sha256 } : {};
  const { logits, tokensPerSecond } = await trial(engine);
  return {
    id: randomUUID(),
    name: name ?? hostname(),
    version,
    queue: queueName({ sampled, ...whole, engine: engine.info, logits }, allow),
    model: {
      name: model.name ?? model.architecture,
      sampled,
      family,
      template,
      ...whole,
    },
    engine: { ...engine.info, devices: [...engine.info.devices] },
    logits,
    ...(allow === undefined ? {} : { allow: [...allow] }),
    tokensPerSecond,
  };
}

/** Logits after a fixed prompt, as a hash, and how fast it was read. */
async function trial(engine: Engine): Promise<{ logits: string; tokensPerSecond: number }> {
  const { vocabulary } = engine.info;
  // Spread over the vocabulary by a prime; any tokens would do.
  const tokens = Array.from({ length: TRIAL_TOKENS }, (_, i) => (i * 7919) % vocabulary);
  const ask = (): Promise<Float32Array> => engine.nextTokenLogits({ pieces: [], context: TRIAL_CONTEXT, tokens });
  const logits = await ask();
  const started = performance.now();
  await ask();
  const seconds = (performance.now() - started) / 1000;
  const bytes = Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength);
  return { logits: digest(bytes), tokensPerSecond: TRIAL_TOKENS / Math.max(1e-6, seconds) };
}
