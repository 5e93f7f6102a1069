import { setTimeout as sleep } from "node:timers/promises";
import type { HashedAdapter } from "../adapter/adapter.js";
import type { HashedBaseModel } from "../adapter/base-model.js";
import type { GpuChoice } from "../engine/engine.js";
import { InterruptedError, QueueError } from "../errors.js";
import { withFileSource } from "../files/file-source.js";
import { connectRedis, tellOutages } from "./connection.js";
import { ContentStore } from "./content-store.js";
import { digest } from "../files/digest.js";
import { Dispatcher } from "./dispatcher.js";
import { fingerprintOf } from "./fingerprint.js";
import type { Announcement, RefusedAnnouncement } from "./presence.js";
import { RedisAddress } from "./redis-address.js";
import { RemoteEngine } from "./remote-engine.js";
import { KEY_VARIABLE, sealFor } from "./seal.js";
import { classOf, markOf, WorkerChoice } from "./worker-choice.js";
import { queueTimes } from "./times.js";

/** What a remote engine is opened for. */
export interface RemoteOptions {
  readonly redis: string;
  readonly model: HashedBaseModel;
  readonly adapter: HashedAdapter;
  readonly gpu: GpuChoice;
  readonly gpuLayers: number | "auto" | "max";
  readonly threads?: number;
  /** Only workers that have read all of their model. */
  readonly fullHash: boolean;
  /** Other backends, processors and quantisations too; each answer then says whose it is. */
  readonly mixed: boolean;
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
  const { model, adapter, identity, mixed } = options;
  const address = RedisAddress.parse(options.redis);
  const onNote = (line: string): void => {
    options.onNote(address.scrub(line));
  };
  const seal = sealFor(address, process.env, onNote);
  const redis = await connectRedis(address, onNote);
  tellOutages(redis, address, onNote);
  try {
    const { sampled, family } = await fingerprintOf(model);
    const wanted = { ...options, model: { sampled, family, sha256: model.sha256 }, adapter: adapter.sha256 };
    const choice = new WorkerChoice(redis, seal, wanted, onNote);
    const leader = await waitForLeader(choice, address, { signal: options.signal, onNote });
    const run = digest(JSON.stringify([identity, classOf(leader), adapter.sha256])).slice(0, 24);
    const bytes = await withFileSource(adapter.path, ({ size }) => Promise.resolve(size));
    const dispatcher = new Dispatcher({
      address,
      seal,
      redis,
      store: new ContentStore(redis),
      run,
      adapter: { path: adapter.path, sha256: adapter.sha256, bytes },
      findWorkers: () => choice.fitting(),
      onNote,
      ...(mixed ? { mark: markOf } : {}),
    });
    await dispatcher.start();
    const own = { adapter: adapter.sha256, adapterBytes: bytes, layerCount: model.layerCount };
    const parts = { redis, dispatcher, run, ...own };
    return new RemoteEngine(parts, leader.engine);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

async function waitForLeader(
  choice: WorkerChoice,
  address: RedisAddress,
  { signal, onNote }: Pick<RemoteOptions, "signal" | "onNote">,
): Promise<Announcement> {
  const started = performance.now();
  for (let isWaiting = false; ; isWaiting = true) {
    const leader = await choice.leader();
    if (leader) return leader;
    if (choice.unsealed && performance.now() - started > queueTimes.otherKey) throw otherKey(choice.unsealed);
    if (!isWaiting) {
      onNote(
        `no worker at ${address.shown} fits yet; waiting for one (boundary worker --redis URL --model FILE on any machine)`,
      );
    }
    await sleep(queueTimes.fittingWorker, undefined, signal ? { signal } : {}).catch(() => {
      throw new InterruptedError({ what: "stopped" });
    });
  }
}

function otherKey({ name, why }: RefusedAnnouncement): QueueError {
  return new QueueError({
    what: `no worker here has the key of this sweep: what ${name} says of itself does not count, ${why}`,
    fix: `Set ${KEY_VARIABLE} to the same text for the sweep and for all workers.`,
  });
}
