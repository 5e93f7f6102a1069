import { ApiError } from "./api-error.js";

/** Seconds a client is told to wait, at least and at most. */
const RETRY_SECONDS = { least: 1, most: 60 } as const;
/** Weight of the last answer in the running mean of how long answers take. */
const LAST_WEIGHT = 0.1;

/** A place in the queue, or among those under way. */
export interface Turn {
  /** Resolves when it is this one's turn. */
  readonly ready: Promise<void>;
  /** Gives the place free; to be called exactly once it is not needed any more, whether its turn came or not. */
  leave(): void;
}

/** Lets so many requests in at once, so many wait in line, and refuses the rest. */
export class Admission {
  private running = 0;
  private readonly line: (() => void)[] = [];
  private meanSeconds = 1;

  /** @param most requests under way at once. @param longest requests in line. */
  constructor(
    private readonly most: number,
    private readonly longest: number,
  ) {}

  get waiting(): number {
    return this.line.length;
  }

  get underWay(): number {
    return this.running;
  }

  /** @throws ApiError 429 when a request that came now would find no place. */
  assertRoom(): void {
    if (this.running < this.most || this.line.length < this.longest) return;
    const expected = (this.meanSeconds * (this.line.length + this.running)) / this.most;
    throw new ApiError({
      status: 429,
      message: `There are ${this.line.length} requests in line already. Try again later.`,
      type: "rate_limit_error",
      code: "queue_full",
      retryAfterSeconds: Math.min(RETRY_SECONDS.most, Math.max(RETRY_SECONDS.least, Math.ceil(expected))),
    });
  }

  /** Takes a place. @throws ApiError 429 when there is none. */
  join(): Turn {
    this.assertRoom();
    let started: number | undefined;
    let hasLeft = false;
    let enter: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => {
      enter = () => {
        this.running += 1;
        started = performance.now();
        resolve();
      };
    });
    if (this.running < this.most) enter();
    else this.line.push(enter);
    return {
      ready,
      leave: () => {
        if (hasLeft) return;
        hasLeft = true;
        if (started === undefined) this.line.splice(this.line.indexOf(enter), 1);
        else this.release((performance.now() - started) / 1000);
      },
    };
  }

  private release(seconds: number): void {
    this.running -= 1;
    this.meanSeconds += LAST_WEIGHT * (seconds - this.meanSeconds);
    this.line.shift()?.();
  }
}
