import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { keys } from "./keys.js";

/** How long a claim outlives the coordinator's last sign of life, in seconds. */
const KEPT_SECONDS = 24 * 3600;

/**
 * A coordinator's claim to a run. The last that takes it has it, so that a killed coordinator's successor need not wait; one before it that is
 * still alive, on another machine, finds out when it looks.
 */
export class RunClaim {
  private readonly id = randomUUID();
  private readonly key: string;

  constructor(
    private readonly redis: Redis,
    run: string,
  ) {
    this.key = keys.coordinator(run);
  }

  async take(): Promise<void> {
    await this.redis.set(this.key, this.id, "EX", KEPT_SECONDS);
  }

  /** @returns false when another coordinator has taken the run; a server that forgot the claim is told again. */
  async keep(): Promise<boolean> {
    const owner = await this.redis.getex(this.key, "EX", KEPT_SECONDS);
    if (owner === null) await this.take();
    return owner === null || owner === this.id;
  }

  /** Gives the run up. @returns false when it was another's already. */
  async release(): Promise<boolean> {
    const owner = await this.redis.get(this.key);
    if (owner === this.id) await this.redis.unlink(this.key);
    return owner === null || owner === this.id;
  }
}
