/** How long those who work through a queue wait, in milliseconds. One table, so that tests can make an hour of a day. */
export const queueTimes = {
  /** Between two looks at the workers and at jobs that fell silent. */
  look: 2_000,
  /** Between two tellings of what each worker does. */
  tell: 30_000,
  /** Jobs are out, and nothing comes for so long: that is told, and what may keep workers from taking jobs is undone. */
  silent: 60_000,
  /** Between two looks for a worker that can make a call. */
  anyWorker: 2_000,
  /** Between two looks for a first worker that fits a sweep. */
  fittingWorker: 1_000,
  /** So long a worker with the right key is waited for where others are there. */
  otherKey: 15_000,
  /** After a look at the results that found nothing. A read that blocks in Redis instead could not be bounded in bytes. */
  noResult: 100,
  /** After an error of Redis. */
  afterError: 1_000,
  /** So long a job waits for another worker that this one may not do. */
  notMine: 500,
};

const unhurried = { ...queueTimes };

/** Makes all of them so many times shorter than they are without, for this process. @internal */
export function hurryQueue(factor: number): void {
  for (const name of Object.keys(queueTimes) as (keyof typeof queueTimes)[]) {
    queueTimes[name] = unhurried[name] / factor;
  }
}
