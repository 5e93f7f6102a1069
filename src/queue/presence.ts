import type { Redis } from "ioredis";
import { z } from "zod";
import type { EngineInfo } from "../engine/engine.js";
import { engineInfoSchema } from "../engine/engine-info-schema.js";
import { digest } from "../formats/digest.js";
import { keys } from "./keys.js";

/** Seconds between two signs of life of a worker, and after which a silent one counts as gone. */
export const HEARTBEAT_SECONDS = 5;
const GONE_SECONDS = 20;

const announcementSchema = z.strictObject({
  /** Drawn when the worker starts. */
  id: z.string().min(1).max(100),
  name: z.string().max(200),
  /** Release of boundary. */
  version: z.string(),
  queue: z.string().min(1).max(200),
  model: z.strictObject({
    name: z.string(),
    sampled: z.string(),
    family: z.string(),
    template: z.string(),
    /** Of all bytes, where the worker was asked to compute it. */
    sha256: z.string().optional(),
  }),
  engine: engineInfoSchema,
  /** Hash of the logits that the engine gives for a fixed prompt, bit for bit: engines of one release may still round otherwise on other processors. */
  logits: z.string(),
  /** SHA-256 of the adapters that the owner allows; undefined where all are. */
  allow: z.array(z.string()).optional(),
  /** Prompt and answer tokens a second, each through all layers: of the last jobs, at first of a trial. */
  tokensPerSecond: z.number().min(0),
  jobs: z.number().int().min(0),
  answers: z.number().int().min(0),
  /** What it is doing, in words; empty where it waits. */
  doing: z.string(),
  /** Peak resident memory of its engine, in bytes. */
  enginePeakBytes: z.number().min(0),
});

/** What a worker says of itself. */
export type Announcement = z.output<typeof announcementSchema>;

/** What two workers must have in common so that a run may ask either: they give the same tokens then. */
export interface EngineClass {
  /** Hash of the model: see ModelFingerprint. */
  readonly sampled: string;
  /** Hash of all of the model, where the worker announces it. */
  readonly sha256?: string;
  readonly engine: EngineInfo;
  readonly logits: string;
}

/**
 * Name of the queue that a worker takes jobs from. It stands for model, engine and what the owner allows, so that no worker ever sees a job
 * that it must not do.
 */
export function queueName(
  { sampled, sha256, engine, logits }: EngineClass,
  allow: readonly string[] | undefined,
): string {
  const { devices, ...rest } = engine;
  const parts = [
    [sampled, sha256 ?? null],
    Object.entries({ ...rest, devices: devices.join() }).sort(),
    logits,
    allow === undefined ? null : [...allow].sort(),
  ];
  return `jobs-${engine.backend}-${digest(JSON.stringify(parts)).slice(0, 24)}`;
}

/** Says that a worker is there. */
export async function announce(redis: Redis, worker: Announcement): Promise<void> {
  await redis
    .pipeline()
    .set(keys.worker(worker.id), JSON.stringify(worker), "EX", GONE_SECONDS)
    .sadd(keys.workers, worker.id)
    .exec();
}

/** Says that a worker is gone. */
export async function withdraw(redis: Redis, id: string): Promise<void> {
  await redis.multi().del(keys.worker(id)).srem(keys.workers, id).exec();
}

/** The workers that are there, by name. What is no announcement of this release is left out. */
export async function presentWorkers(redis: Redis): Promise<Announcement[]> {
  const ids = await redis.smembers(keys.workers);
  if (ids.length === 0) return [];
  const texts = await redis.mget(ids.map(keys.worker));
  const gone = ids.filter((_, i) => texts[i] === null);
  if (gone.length > 0) await redis.srem(keys.workers, ...gone);
  return texts
    .flatMap((text) => (typeof text === "string" ? parseAnnouncement(text) : []))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1));
}

/** Seconds since each worker was last heard of, by the server's clock; undefined for one that has gone meanwhile. */
export async function silenceOf(redis: Redis, workers: readonly Announcement[]): Promise<(number | undefined)[]> {
  const pipeline = redis.pipeline();
  for (const { id } of workers) pipeline.pttl(keys.worker(id));
  const replies = (await pipeline.exec()) ?? [];
  return workers.map((_, i) => {
    const left = replies[i]?.[1];
    return typeof left === "number" && left >= 0 ? Math.max(0, GONE_SECONDS - left / 1000) : undefined;
  });
}

function parseAnnouncement(text: string): Announcement[] {
  try {
    return [announcementSchema.parse(JSON.parse(text))];
  } catch {
    return [];
  }
}
