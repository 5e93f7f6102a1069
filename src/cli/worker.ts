import { Command } from "commander";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { gpuChoices } from "../engine/engine.js";
import { engineSettings } from "../engine/engine-settings.js";
import { NAME_CHARACTERS } from "../queue/presence.js";
import { printable } from "../queue/printable.js";
import { runWorker } from "../queue/worker.js";
import { oneLine } from "../report/paint.js";
import { resolveSettings } from "../settings.js";
import { say } from "./output.js";
import { REDIS_HELP, redisFromFlag } from "./redis-flag.js";
import { byteCount, numberOrText, wholeNumber } from "./values.js";

/** Some dozens of adapters with their pieces. */
const DEFAULT_CACHE_BYTES = 10e9;

const schema = z.strictObject({
  redis: z.string().optional(),
  model: z.string().min(1),
  name: printable(NAME_CHARACTERS).min(1).optional(),
  allow: z.array(z.string().regex(/^[0-9a-f]{64}$/, "it is no SHA-256: 64 hexadecimal digits")).optional(),
  ...engineSettings,
  cache: z
    .string()
    .min(1)
    .default(join(homedir(), ".cache", "boundary")),
  cacheSize: z.number().int().min(1).default(DEFAULT_CACHE_BYTES),
  lockSeconds: z.number().int().min(1).max(3600).default(30),
  fullHash: z.boolean().default(false),
});

/** `boundary worker`: answers jobs from a queue until it is stopped. */
export function workerCommand(signal: AbortSignal): Command {
  return new Command("worker")
    .description("take jobs of sweeps from a queue on Redis, with one model, until it is stopped")
    .option("--redis <url>", REDIS_HELP)
    .option("-m, --model <gguf>", "base model: path of a GGUF file, or a model URI")
    .option("--name <name>", "what the others see (default: the host's name)")
    .option("--allow <sha256...>", "take jobs for these adapters only, by the SHA-256 of their file (default: for all)")
    .option("--gpu <backend>", engineSettings.gpu.description)
    .option("--gpu-layers <n|auto|max>", engineSettings.gpuLayers.description ?? "", numberOrText)
    .option("--threads <n>", engineSettings.threads.description ?? "", wholeNumber)
    .option("--cache <folder>", "where fetched adapters are kept (default: ~/.cache/boundary)")
    .option("--cache-size <size>", "most that is kept there, least recently used first out (default: 10GB)", byteCount)
    .option(
      "--lock-seconds <n>",
      "give its job to another worker after so long without a sign of life (default: 30)",
      wholeNumber,
    )
    .option("--full-hash", "read all of the model and announce its hash, for sweeps with --full-hash")
    .addHelpText("after", `\nBackends: ${gpuChoices.join(", ")}`)
    .action(async (flags: Record<string, unknown>) => {
      const { redis, name, allow, threads, cacheSize, ...settings } = resolveSettings(schema, "worker", [flags]);
      await runWorker(
        {
          ...settings,
          redis: redisFromFlag(redis),
          cacheBytes: cacheSize,
          ...(name === undefined ? {} : { name }),
          ...(allow === undefined ? {} : { allow }),
          ...(threads === undefined ? {} : { threads }),
        },
        signal,
        (line) => {
          say(oneLine(line));
        },
      );
      // Where the server is gone, BullMQ would go on waiting for it.
      process.exit();
    });
}
