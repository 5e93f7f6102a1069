import { Command } from "commander";
import { UsageError } from "../errors.js";
import { stableJson } from "../formats/stable-json.js";
import { connectRedis, REDIS_VARIABLE } from "../queue/connection.js";
import { presentWorkers, silenceOf } from "../queue/presence.js";
import { workersReport } from "../report/workers.js";
import { print } from "./output.js";

/** `boundary workers`: who is at a queue. */
export function workersCommand(): Command {
  return new Command("workers")
    .description("the workers at a queue: what they run, how fast, last seen")
    .option("--redis <url>", `redis://host:6379, or rediss:// for TLS (default: ${REDIS_VARIABLE} in the environment)`)
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async ({ redis: url = process.env[REDIS_VARIABLE], json }: { redis?: string; json?: boolean }) => {
      if (url === undefined) {
        throw new UsageError({
          what: "--redis is missing",
          expected: "redis://host:6379",
          fix: "`boundary workers --help` says more.",
        });
      }
      const redis = await connectRedis(url);
      try {
        const present = await presentWorkers(redis);
        const silence = await silenceOf(redis, present);
        const workers = present.map((worker, i) => ({ ...worker, silentSeconds: silence[i] ?? null }));
        print(json ? stableJson(workers) : `${workersReport(workers)}\n`);
      } finally {
        redis.disconnect();
      }
    });
}
