import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { readBaseModel, type BaseModel } from "../adapter/base-model.js";
import { aborted } from "../engine/aborted.js";
import type { Engine, GpuChoice } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { openEngine } from "../engine/process-engine.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { version } from "../version.js";
import { AdapterCache } from "./adapter-cache.js";
import { CacheFolder } from "./cache-folder.js";
import { connectRedis, tellOutages } from "./connection.js";
import { ContentStore } from "./content-store.js";
import { digest } from "../files/digest.js";
import { EngineSlot } from "./engine-slot.js";
import { assertAffordable } from "./job-limits.js";
import { ModelProof, type OtherModelError } from "./model-proof.js";
import { NAME_CHARACTERS, queueName, type Announcement } from "./presence.js";
import { shortened } from "./printable.js";
import { QueueWorker } from "./queue-worker.js";
import type { RedisAddress } from "./redis-address.js";
import { sealFor, type Seal } from "./seal.js";

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
  readonly redis: RedisAddress;
  readonly model: string;
  readonly name?: string;
  /** SHA-256 of the adapters that it takes jobs for; undefined for all. */
  readonly allow?: readonly string[];
  readonly gpu: GpuChoice;
  readonly gpuLayers: number | "auto" | "max";
  readonly threads?: number;
  /** Folder for adapters that were fetched. */
  readonly cache: string;
  /** Bytes that the folder may take. */
  readonly cacheBytes: number;
  readonly lockSeconds: number;
  /** Read all of the model and announce its hash. */
  readonly fullHash: boolean;
}

/**
 * Loads a model and answers jobs for it until the signal fires; the job under way then goes back into the queue.
 * @param onLine told what happens, a line each.
 * @throws QueueError when Redis cannot be reached at first, UsageError where the queue's key is missing; OtherModelError when the model's file is
 * another than the one that was announced; what opening the model throws.
 */
export async function runWorker(
  settings: WorkerSettings,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  const { gpu, gpuLayers, threads, redis: address } = settings;
  const say = (line: string): void => {
    onLine(address.scrub(line));
  };
  const seal = sealFor(address, process.env, say);
  const redis = await connectRedis(address, say);
  tellOutages(redis, address, say);
  const model = await readBaseModel(await resolveModelPath(settings.model));
  const proof = await ModelProof.of(model, settings.fullHash);
  let announced: string | undefined;
  const engine = new EngineSlot(async () => {
    if (announced !== undefined) await proof.assertSame();
    const opened = await openEngine({
      modelPath: model.path,
      gpu,
      gpuLayers,
      ...(threads === undefined ? {} : { threads }),
    });
    if (announced === undefined) return opened;
    // Opened again after a crash: what was announced of model and engine must still hold.
    try {
      proof.assertLogits(announced, (await trial(opened)).logits);
      await proof.assertSame();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  });
  try {
    const announcement = await introduce(settings, seal, model, proof, await engine.get());
    await proof.assertSame();
    announced = announcement.logits;
    const store = new ContentStore(redis);
    const adapters = new AdapterCache(new CacheFolder(settings.cache, settings.cacheBytes), model, store);
    let onEnd: (error: OtherModelError) => void = () => undefined;
    const ended = new Promise<OtherModelError>((resolve) => {
      onEnd = resolve;
    });
    const worker = new QueueWorker({
      ...{ redis, seal, engine, adapters, store, announcement, lockSeconds: settings.lockSeconds, onLine: say },
      paths: [...model.files, settings.cache, process.argv[1] ?? ""],
      assertAffordable: (job) => {
        assertAffordable(job, model, announcement.engine);
      },
      assertSameModel: () => proof.assertSame(),
      onEnd,
    });
    await worker.start();
    const { backend, llamaCpp, threads: used } = announcement.engine;
    say(
      `worker ${announcement.name} at ${address.shown}: ${announcement.model.name}, ${backend}, llama.cpp ${llamaCpp}, ${used} threads, ${seal.isKeyed ? "signed" : "not signed"}`,
    );
    const failure = await Promise.race([aborted(signal), ended]);
    await worker.close();
    if (failure) throw failure;
  } finally {
    await engine.drop();
    redis.disconnect();
  }
}

async function introduce(
  { name, allow }: WorkerSettings,
  seal: Seal,
  model: BaseModel,
  { fingerprint, sha256 }: ModelProof,
  engine: Engine,
): Promise<Omit<Announcement, "jobs" | "answers" | "doing" | "enginePeakBytes">> {
  const { sampled, family, template } = fingerprint;
  const whole = sha256 === undefined ? {} : { sha256 };
  const { logits, tokensPerSecond } = await trial(engine);
  // Names from a model's file or a system may hold anything.
  const shown = (text: string): string => shortened(text, NAME_CHARACTERS);
  return {
    id: randomUUID(),
    name: shown(name ?? hostname()),
    version,
    queue: queueName({ sampled, ...whole, engine: engine.info, logits }, allow, seal),
    model: {
      name: shown(model.name ?? model.architecture),
      sampled,
      family,
      template,
      ...whole,
    },
    engine: { ...engine.info, devices: engine.info.devices.map(shown) },
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
