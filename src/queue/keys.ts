/** Prefix of every key in Redis that is ours; BullMQ's own lie below it too. */
export const PREFIX = "boundary";

const WORKER = `${PREFIX}:worker:`;

/** The keys in Redis that are not BullMQ's. */
export const keys = {
  /** Set of worker ids. */
  workers: `${PREFIX}:workers`,
  workerPrefix: WORKER,
  /** What a worker says of itself; it expires when the worker falls silent. */
  worker: (id: string): string => `${WORKER}${id}`,
  /** Content by its SHA-256: a text, or of a file the number of its chunks and bytes. */
  text: (sha256: string): string => `${PREFIX}:text:${sha256}`,
  file: (sha256: string): string => `${PREFIX}:file:${sha256}`,
  chunk: (sha256: string, at: number): string => `${PREFIX}:file:${sha256}:${at}`,
  /** Stream of what workers found for a run. */
  results: (run: string): string => `${PREFIX}:results:${run}`,
  /** The coordinator that works on a run: the last that took it up. */
  coordinator: (run: string): string => `${PREFIX}:coordinator:${run}`,
  /** Hash of the jobs that a run has handed out, by their ids: the queue of each. */
  jobs: (run: string): string => `${PREFIX}:jobs:${run}`,
};
