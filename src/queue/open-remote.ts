import { setTimeout as sleep } from "node:timers/promises";
import type { HashedAdapter } from "../adapter/adapter.js";
import type { HashedBaseModel } from "../adapter/base-model.js";
import type { GpuChoice } from "../engine/engine.js";
import { InterruptedError } from "../errors.js";
import { redact } from "../formats/redact.js";
import { connectRedis, tellOutages } from "./connection.js";
import { ContentStore } from "./content-store.js";
import { digest } from "../formats/digest.js";
import { Dispatcher } from "./dispatcher.js";
import { fingerprintOf } from "./fingerprint.js";
import type { Announcement } from "./presence.js";
import { RemoteEngine } from "./remote-engine.js";
import { classOf, markOf, WorkerChoice } from "./worker-choice.js";

/** Between two looks for a first worker, in milliseconds. */
const WAIT_MS = 1_000;

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
  const { redis: url, model, adapter, identity, onNote, mixed } = options;
  const redis = await connectRedis(url);
  tellOutages(redis, url, onNote);
  try {
    const { sampled, family } = await fingerprintOf(model);
    const wanted = { ...options, model: { sampled, family, sha256: model.sha256 }, adapter: adapter.sha256 };
    const choice = new WorkerChoice(redis, wanted, onNote);
    const leader = await waitForLeader(choice, options);
    const run = digest(JSON.stringify([identity, classOf(leader), adapter.sha256])).slice(0, 24);
    const dispatcher = new Dispatcher({
      url,
      redis,
      store: new ContentStore(redis),
      run,
      adapter,
      findWorkers: () => choice.fitting(),
      onNote,
      ...(mixed ? { mark: markOf } : {}),
    });
    await dispatcher.start();
    const parts = { redis, dispatcher, run, adapter: adapter.sha256, layerCount: model.layerCount };
    return new RemoteEngine(parts, leader.engine);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

async function waitForLeader(
  choice: WorkerChoice,
  { redis: url, signal, onNote }: Pick<RemoteOptions, "redis" | "signal" | "onNote">,
): Promise<Announcement> {
  for (let isWaiting = false; ; isWaiting = true) {
    const leader = await choice.leader();
    if (leader) return leader;
    if (!isWaiting) {
      onNote(
        `no worker at ${redact(url)} fits yet; waiting for one (boundary worker --redis URL --model FILE on any machine)`,
      );
    }
    await sleep(WAIT_MS, undefined, signal ? { signal } : {}).catch(() => {
      throw new InterruptedError({ what: "stopped" });
    });
  }
}
