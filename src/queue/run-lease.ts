import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { z } from "zod";
import { keys } from "./keys.js";
import type { Seal } from "./seal.js";

/** How long a claim outlives the coordinator's last sign of life, in seconds. */
const KEPT_SECONDS = 24 * 3600;

/** Longest text of a claim, in bytes. */
const LONGEST = 1_000;

const claimSchema = z.strictObject({
  id: z.string().max(100),
  /** When it was taken, in milliseconds by the server's clock. */
  at: z.number(),
});

/**
 * A coordinator's claim to a run. The last that takes it has it, so that a killed coordinator's successor need not wait; one before it that is
 * still alive, on another machine, finds out when it looks. A claim that is not signed, or that was taken earlier, counts for nothing.
 */
export class RunLease {
  private readonly id = randomUUID();
  private at = 0;
  private readonly key: string;

  constructor(
    private readonly redis: Redis,
    private readonly seal: Seal,
    private readonly run: string,
  ) {
    this.key = keys.coordinator(run);
  }

  async take(): Promise<void> {
    const [seconds, microseconds] = await this.redis.time();
    this.at = Number(seconds) * 1000 + Number(microseconds) / 1000;
    await this.write();
  }

  /** @returns false when another coordinator has taken the run; a server that forgot the claim is told again. */
  async keep(): Promise<boolean> {
    const owner = await this.owner();
    if (owner === "another") return false;
    await (owner === undefined ? this.write() : this.redis.expire(this.key, KEPT_SECONDS));
    return true;
  }

  /** Gives the run up. @returns false when it was another's already. */
  async release(): Promise<boolean> {
    const owner = await this.owner();
    if (owner === "this") await this.redis.unlink(this.key);
    return owner !== "another";
  }

  private async write(): Promise<void> {
    const text = this.seal.close(["coordinator", this.run], { id: this.id, at: this.at });
    await this.redis.set(this.key, text, "EX", KEPT_SECONDS);
  }

  private async owner(): Promise<"this" | "another" | undefined> {
    // What is not a text is nobody's claim.
    const text = await this.redis.getrange(this.key, 0, LONGEST).catch(() => "");
    try {
      const { id, at } = claimSchema.parse(this.seal.open(["coordinator", this.run], text));
      if (id === this.id) return "this";
      return at > this.at ? "another" : undefined;
    } catch {
      return undefined;
    }
  }
}
