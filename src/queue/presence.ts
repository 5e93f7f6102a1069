import type { Redis } from "ioredis";
import { z } from "zod";
import { defined } from "../assert.js";
import type { EngineInfo } from "../engine/engine.js";
import { engineInfoSchema } from "../engine/engine-info-schema.js";
import { digest } from "../files/digest.js";
import { keys } from "./keys.js";
import { messageOf } from "../errors.js";
import { printable, shortened } from "./printable.js";
import { READ_WORKERS } from "./scripts.js";
import { unverified, type Seal } from "./seal.js";

/** Seconds between two signs of life of a worker, and after which a silent one counts as gone. */
export const HEARTBEAT_SECONDS = 5;
const GONE_SECONDS = 20;

/** Bytes of an announcement, and of all that are read at once: thousands of workers. */
const LONGEST = 1 << 15;
const LONGEST_OF_ALL = 32 << 20;
/** Characters of names that others see. */
export const NAME_CHARACTERS = 200;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const name = printable(NAME_CHARACTERS);

const announcementSchema = z.strictObject({
  /** Drawn when the worker starts. */
  id: z.uuid(),
  name,
  /** Release of boundary. */
  version: printable(50),
  queue: z.string().regex(/^jobs-[a-z]+-[0-9a-f]{24}$/),
  model: z.strictObject({
    name,
    sampled: sha256,
    family: sha256,
    template: sha256,
    /** Of all bytes, where the worker was asked to compute it. */
    sha256: sha256.optional(),
  }),
  engine: engineInfoSchema.extend({
    devices: z.array(name).max(64).readonly(),
    llamaCpp: name,
    nodeLlamaCpp: name,
  }),
  /** Hash of the logits that the engine gives for a fixed prompt, bit for bit: engines of one release may still round otherwise on other processors. */
  logits: sha256,
  /** SHA-256 of the adapters that the owner allows; undefined where all are. */
  allow: z.array(sha256).optional(),
  /** Prompt and answer tokens a second, each through all layers: of the last jobs, at first of a trial. */
  tokensPerSecond: z.number().min(0),
  jobs: z.number().int().min(0),
  answers: z.number().int().min(0),
  /** What it is doing, in words; empty where it waits. */
  doing: name,
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
 * Name of the queue that a worker takes jobs from. It stands for model, engine, what the owner allows and the key, so that no worker ever sees a
 * job that it must not do or cannot check.
 */
export function queueName(
  { sampled, sha256, engine, logits }: EngineClass,
  allow: readonly string[] | undefined,
  seal: Seal,
): string {
  const { devices, ...rest } = engine;
  const parts = [
    [sampled, sha256 ?? null],
    Object.entries({ ...rest, devices: devices.join() }).sort(),
    logits,
    allow === undefined ? null : [...allow].sort(),
    seal.name,
  ];
  return `jobs-${engine.backend}-${digest(JSON.stringify(parts)).slice(0, 24)}`;
}

/** Says that a worker is there. */
export async function announce(redis: Redis, seal: Seal, worker: Announcement): Promise<void> {
  await redis
    .pipeline()
    .set(keys.worker(worker.id), seal.close(["worker", worker.id], worker), "EX", GONE_SECONDS)
    .sadd(keys.workers, worker.id)
    .exec();
}

/** Says that a worker is gone. */
export async function withdraw(redis: Redis, id: string): Promise<void> {
  await redis.multi().del(keys.worker(id)).srem(keys.workers, id).exec();
}

const replySchema = z.array(z.tuple([z.string(), z.string()]));

/** An announcement that is not one that this side may believe. */
export interface RefusedAnnouncement {
  /** What it calls itself, which may be anything. */
  readonly name: string;
  readonly why: string;
}

/**
 * The workers that are there, by name. What is not an announcement of this release is left out.
 * @param onRefused told of those that are not signed with this key.
 */
export async function presentWorkers(
  redis: Redis,
  seal: Seal,
  onRefused: (refused: RefusedAnnouncement) => void = () => undefined,
): Promise<Announcement[]> {
  const reply = await redis.eval(READ_WORKERS, 1, keys.workers, keys.workerPrefix, LONGEST, LONGEST_OF_ALL);
  return replySchema
    .parse(reply)
    .flatMap(([id, text]) => parseAnnouncement(seal, id, text, onRefused))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1));
}

/** Seconds since each worker was last heard of, by the server's clock; undefined for one that has gone meanwhile. */
export async function silenceOf(redis: Redis, workers: readonly Announcement[]): Promise<(number | undefined)[]> {
  const pipeline = redis.pipeline();
  for (const { id } of workers) pipeline.pttl(keys.worker(id));
  const replies = defined(await pipeline.exec(), "the replies of Redis");
  return workers.map((_, i) => {
    const left = replies[i]?.[1];
    return typeof left === "number" && left >= 0 ? Math.max(0, GONE_SECONDS - left / 1000) : undefined;
  });
}

function parseAnnouncement(
  seal: Seal,
  id: string,
  text: string,
  onRefused: (refused: RefusedAnnouncement) => void,
): Announcement[] {
  let value: unknown;
  try {
    value = seal.open(["worker", id], text);
  } catch (error) {
    onRefused({ name: nameIn(unverified(text)) ?? shortened(id, 40), why: messageOf(error) });
    return [];
  }
  const { data } = announcementSchema.safeParse(value);
  // The name under which it is kept is the one that is signed.
  return data?.id === id ? [data] : [];
}

function nameIn(value: unknown): string | undefined {
  const claimed: unknown = typeof value === "object" && value !== null && "name" in value ? value.name : undefined;
  return typeof claimed === "string" ? shortened(claimed, 40) : undefined;
}
