import type { Announcement } from "./presence.js";

/** Workers that get a line each; of more only the sum is told. */
const MOST_LINES = 12;

/** What each worker has answered for this run. */
export class WorkerTally {
  private readonly answers = new Map<string, number>();
  private told = 0;

  add(worker: string): void {
    this.answers.set(worker, (this.answers.get(worker) ?? 0) + 1);
  }

  /** A line for each worker that is there; nothing where nothing was answered since the last time. */
  lines(workers: readonly Announcement[]): string[] {
    const all = [...this.answers.values()].reduce((sum, count) => sum + count, 0);
    if (all === this.told) return [];
    this.told = all;
    if (workers.length > MOST_LINES) {
      const rate = workers.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0);
      return [`${workers.length} workers: ${all} answers, ${rate.toFixed(0)} tok/s`];
    }
    return workers.map(({ id, name, tokensPerSecond, doing }) => {
      const own = this.answers.get(id) ?? 0;
      return `worker ${name}: ${own} answers, ${tokensPerSecond.toFixed(0)} tok/s, ${doing === "" ? "waiting" : doing}`;
    });
  }
}
