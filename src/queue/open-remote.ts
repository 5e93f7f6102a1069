import type { Redis } from "ioredis";
import type { HashedAdapter } from "../adapter/adapter.js";
import type { HashedBaseModel } from "../adapter/base-model.js";
import type { GpuChoice } from "../engine/engine.js";
import { choiceOf } from "../engine/gpu-choice.js";
import { InterruptedError } from "../errors.js";
import { version } from "../version.js";
import { connectRedis, withoutSecrets } from "./connection.js";
import { ContentStore } from "./content-store.js";
import { digest } from "./digest.js";
import { Dispatcher } from "./dispatcher.js";
import { fingerprintOf } from "./fingerprint.js";
import { presentWorkers, type Announcement } from "./presence.js";
import { RemoteEngine } from "./remote-engine.js";

/** Between two looks for a first worker, in milliseconds. */
const WAIT_MS = 1_000;

/** What a remote engine is opened for. */
export interface RemoteOptions {
  readonly redis: string;
  readonly model: HashedBaseModel;
  readonly adapter: HashedAdapter;
  readonly gpu: GpuChoice;
  readonly threads?: number;
  /** What makes a run the same run when it is started again. */
  readonly identity: string;
  readonly signal: AbortSignal | undefined;
  /** Told what a user should know, a line each. */
  readonly onNote: (line: string) => void;
}

/**
 * Opens the workers of a queue as one engine; waits until one is there that has this model.
 * @throws UsageError, QueueError when the queue cannot be reached; InterruptedError when the signal fires first.
 */
export async function openRemoteEngine(options: RemoteOptions): Promise<RemoteEngine> {
  const { redis: url, model, adapter, identity, onNote } = options;
  const redis = await connectRedis(url);
  redis.on("close", () => {
    if (redis.status !== "end") onNote(`Redis at ${withoutSecrets(url)} is gone; trying again`);
  });
  redis.on("ready", () => {
    onNote(`Redis at ${withoutSecrets(url)} is back`);
  });
  try {
    const { sampled } = await fingerprintOf(model);
    const refusals = new Set<string>();
    const refuse = (worker: Announcement, why: string): void => {
      const line = `worker ${worker.name} gets no jobs: ${why}`;
      if (!refusals.has(line)) onNote(line);
      refusals.add(line);
    };
    const wanted = { ...options, sampled };
    const first = await firstWorker(redis, wanted, refuse);
    const run = digest(JSON.stringify([identity, classOf(first), adapter.sha256])).slice(0, 24);
    const dispatcher = new Dispatcher({
      url,
      redis,
      store: new ContentStore(redis),
      run,
      adapter,
      findWorkers: async () => {
        const workers = await fitting(redis, wanted, refuse);
        return workers.filter((worker) => {
          const why = classDifference(worker, first);
          if (why !== undefined) refuse(worker, why);
          return why === undefined;
        });
      },
      onNote,
    });
    await dispatcher.start();
    return new RemoteEngine(
      { redis, dispatcher, run, adapter: adapter.sha256, layerCount: model.layerCount },
      first.engine,
    );
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

type Wanted = RemoteOptions & { readonly sampled: string };
type Refuse = (worker: Announcement, why: string) => void;

/** A worker of the class that most workers are of; of equally many the first by its queue's name. */
async function firstWorker(redis: Redis, wanted: Wanted, refuse: Refuse): Promise<Announcement> {
  for (let waiting = false; ; waiting = true) {
    const workers = await fitting(redis, wanted, refuse);
    const classes = new Map<string, Announcement[]>();
    for (const worker of workers) classes.set(classOf(worker), [...(classes.get(classOf(worker)) ?? []), worker]);
    const [largest] = [...classes].sort(([a, own], [b, other]) => other.length - own.length || (a < b ? -1 : 1));
    const first = largest?.[1][0];
    if (first) return first;
    if (!waiting) {
      wanted.onNote(
        `no worker at ${withoutSecrets(wanted.redis)} has this model yet; waiting for one: boundary worker --redis URL --model FILE`,
      );
    }
    await pause(WAIT_MS, wanted.signal);
  }
}

/** The workers that have this model and what else was asked for. */
async function fitting(redis: Redis, wanted: Wanted, refuse: Refuse): Promise<Announcement[]> {
  return (await presentWorkers(redis)).filter((worker) => {
    const why = difference(worker, wanted);
    if (why !== undefined) refuse(worker, why);
    return why === undefined;
  });
}

function difference(worker: Announcement, { sampled, gpu, threads, adapter }: Wanted): string | undefined {
  const { engine, model, allow } = worker;
  if (worker.version !== version) return `boundary ${worker.version} instead of ${version}`;
  if (model.sampled !== sampled) return `another model (${model.name} ${model.sampled.slice(0, 8)})`;
  if (gpu !== "auto" && choiceOf(engine.backend) !== gpu) return `backend ${engine.backend} instead of ${gpu}`;
  if (threads !== undefined && engine.threads !== threads) return `${engine.threads} threads instead of ${threads}`;
  if (allow && !allow.includes(adapter.sha256)) return "its owner does not allow this adapter";
  return undefined;
}

/** What all workers of a run have in common: they give the same tokens then. */
function classOf({ model, engine, logits }: Announcement): string {
  return JSON.stringify([model.sampled, Object.entries(engine).sort(), logits]);
}

function classDifference(worker: Announcement, first: Announcement): string | undefined {
  for (const name of ["backend", "calls", "llamaCpp", "nodeLlamaCpp", "threads", "gpuLayers"] as const) {
    const [own, other] = [worker.engine[name], first.engine[name]];
    if (own !== other) return `its engine differs from that of ${first.name} (${name} ${own} instead of ${other})`;
  }
  if (worker.logits !== first.logits) return `its processor rounds otherwise than that of ${first.name}`;
  return classOf(worker) === classOf(first) ? undefined : `its engine differs from that of ${first.name}`;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new InterruptedError({ what: "stopped" }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
