import { Command } from "commander";
import { stableJson } from "../files/stable-json.js";
import { connectRedis } from "../queue/connection.js";
import { presentWorkers, silenceOf } from "../queue/presence.js";
import { sealFor } from "../queue/seal.js";
import { workersReport } from "../report/workers.js";
import { oneLine } from "../report/paint.js";
import { print, say } from "./output.js";
import { REDIS_HELP, redisFromFlag } from "./redis-flag.js";

/** Workers that are named although they do not count. */
const MOST_REFUSED = 20;

/** `boundary workers`: who is at a queue. */
export function workersCommand(): Command {
  return new Command("workers")
    .description("the workers at a queue: what they run, how fast, last seen")
    .option("--redis <url>", REDIS_HELP)
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async ({ redis: flag, json }: { redis?: string; json?: boolean }) => {
      const address = redisFromFlag(flag);
      const warn = (line: string): void => {
        say(oneLine(line));
      };
      const seal = sealFor(address, process.env, warn);
      const redis = await connectRedis(address, warn);
      try {
        let refused = 0;
        const present = await presentWorkers(redis, seal, ({ name, why }) => {
          if (refused++ < MOST_REFUSED) warn(`${name} says that it is a worker, which does not count: ${why}`);
        });
        const silence = await silenceOf(redis, present);
        const workers = present.map((worker, i) => ({ ...worker, silentSeconds: silence[i] ?? null }));
        print(json ? stableJson(workers) : `${workersReport(workers)}\n`);
      } finally {
        redis.disconnect();
      }
    });
}
