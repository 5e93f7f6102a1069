import type { Redis } from "ioredis";
import { WorkerQueue } from "./worker-queue.js";
import type { Announcement } from "./presence.js";
import type { Seal } from "./seal.js";
import type { ChosenWorker } from "./worker-choice.js";

/** The queues whose workers may be asked. */
export class WorkerQueues {
  private readonly byQueue = new Map<string, WorkerQueue>();
  private readonly known = new Map<string, Announcement>();

  constructor(
    private readonly redis: Redis,
    private readonly seal: Seal,
  ) {}

  /** The lane of a queue, whether it has workers or not. */
  of(queue: string): WorkerQueue {
    const known = this.byQueue.get(queue) ?? new WorkerQueue(queue, this.redis, this.seal);
    this.byQueue.set(queue, known);
    return known;
  }

  /** The workers that may be asked now. */
  get workers(): readonly Announcement[] {
    return [...this.byQueue.values()].flatMap((lane) => lane.workers);
  }

  /** What a worker said of itself, be it gone by now. */
  worker(id: string): Announcement | undefined {
    return this.known.get(id);
  }

  /** A lane that can take another job. */
  get withRoom(): WorkerQueue | undefined {
    return [...this.byQueue.values()].find(({ hasRoom }) => hasRoom);
  }

  /** The lane of the run's own class that has least to do; undefined where none has workers. */
  get leastBusy(): WorkerQueue | undefined {
    const own = [...this.byQueue.values()].filter((lane) => lane.workers.length > 0 && !lane.isOther);
    return own.sort((a, b) => a.jobs / a.workers.length - b.jobs / b.workers.length)[0];
  }

  /** Takes the workers as they are now. */
  refresh(workers: readonly ChosenWorker[]): void {
    const present = new Map<string, Announcement[]>();
    for (const { worker, isOther } of workers) {
      const others = present.get(worker.queue);
      if (others) others.push(worker);
      else present.set(worker.queue, [worker]);
      this.of(worker.queue).isOther = isOther;
      this.known.set(worker.id, worker);
    }
    for (const lane of this.byQueue.values()) {
      lane.workers = present.get(lane.name) ?? [];
      if (lane.workers.length > 0) lane.seen = performance.now();
    }
  }

  /** See {@link WorkerQueue.unblock}. */
  async unblock(): Promise<void> {
    for (const lane of this.byQueue.values()) await lane.unblock();
  }

  async close(): Promise<void> {
    await Promise.all([...this.byQueue.values()].map((lane) => lane.close()));
  }
}
