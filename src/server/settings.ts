import { z } from "zod";
import { engineSettings } from "../engine/engine-settings.js";
import { UsageError } from "../errors.js";

const positive = z.number().int().positive();
const text = z.string().min(1);

/** Every setting of `boundary serve` by its flag's name in camel case. */
export const serveSettingsSchema = z.strictObject({
  run: text.optional().describe("folder of a finished sweep; --model and --adapter replace its paths"),
  model: text.optional().describe("base model: path of a GGUF file, or a model URI such as hf:user/repo:Q4_K_M"),
  adapter: text.optional().describe("LoRA adapter: a GGUF file, a PEFT folder, or a model URI"),
  chatTemplate: text
    .optional()
    .describe(
      "chat template of the adapter's training, by name or jinja file (default: that of the run, else the model's own)",
    ),
  host: text.default("127.0.0.1").describe("address to listen on; one beyond this machine needs --api-key"),
  port: z.number().int().min(0).max(65535).default(8080).describe("port to listen on; 0 takes a free one"),
  apiKey: text
    .optional()
    .describe("key that clients must send; better in BOUNDARY_API_KEY, where no other user sees it"),
  auth: z.boolean().default(true).describe("listen beyond this machine without a key"),
  allowOrigin: z.array(text).default([]).describe("origin whose web pages may use the server (repeatable), * for all"),
  parallel: positive.max(256).default(4).describe("requests answered at once"),
  queue: z.number().int().min(0).default(64).describe("requests in line behind them; more are refused with 429"),
  contexts: positive.max(64).optional().describe("masks kept in memory at once (default: 3, or what fits)"),
  contextSize: positive
    .optional()
    .describe("tokens of prompt and answer together (default: the model's, at most 4096)"),
  maxTokens: positive.default(1024).describe("most tokens of an answer"),
  maxSeconds: positive.default(300).describe("seconds after which an answer is cut"),
  drainSeconds: z.number().min(0).default(30).describe("seconds that answers under way get when the server is stopped"),
  bodyLimit: positive.default(1 << 20).describe("most bytes of a request"),
  exact: z
    .boolean()
    .optional()
    .describe("each answer as if sent alone: every sequence decodes by itself (default: on a CPU)"),
  ...engineSettings,
  logLevel: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("what is logged to standard error"),
});

/** The resolved settings of a server. */
export type ServeSettings = z.output<typeof serveSettingsSchema>;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** @throws UsageError for an address that others can reach without a key, unless that was asked for. */
export function assertSafeAddress({ host, apiKey, auth }: ServeSettings): void {
  if (isLoopback(host) || apiKey !== undefined || !auth) return;
  throw new UsageError({
    what: `--host ${host} can be reached from other machines, and there is no API key`,
    fix: "Set BOUNDARY_API_KEY (or --api-key), or pass --no-auth if everybody may use it.",
  });
}

/** @throws UsageError for a key that no client could send as it is. */
export function assertUsableKey({ apiKey }: ServeSettings): void {
  if (apiKey === undefined) return;
  if (apiKey !== apiKey.trim()) {
    throw new UsageError({
      what: "the API key begins or ends with white space, which clients cannot send",
      fix: "Remove it: a line break often comes from the file that the key was read from.",
    });
  }
  if (!/^[\x20-\x7e]+$/.test(apiKey)) {
    throw new UsageError({
      what: "the API key has characters that an HTTP header cannot carry",
      fix: "Use letters, digits and punctuation of ASCII.",
    });
  }
}
