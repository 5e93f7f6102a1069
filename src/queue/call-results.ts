import { z } from "zod";
import { QueueError } from "../errors.js";
import { tokenId } from "./messages.js";

const likelihood = z.strictObject({ id: z.string(), logProbability: z.number(), tokens: z.number().int() });

/** Results of calls, as their senders read them. */
export const callResults = {
  tokenize: z.array(z.array(tokenId)),
  /** Little-endian float32 numbers in base64. */
  logits: z.string(),
  shortcuts: z.strictObject({
    invariantTokens: z.number().int().min(0),
    sharedLayers: z.boolean(),
    reasons: z.array(z.string()),
  }),
  likelihoods: z.array(likelihood),
  sharedLikelihoods: z.array(z.strictObject({ boundary: z.number().int(), likelihood })),
  hidden: z.array(
    z.strictObject({
      id: z.string(),
      states: z.number().int(),
      positions: z.number().int(),
      length: z.number().int(),
      /** As logits. */
      values: z.string(),
    }),
  ),
  energies: z.array(
    z.strictObject({
      name: z.string(),
      tokens: z.number().int(),
      input: z.number(),
      output: z.number(),
      update: z.number(),
    }),
  ),
} as const;

/** Numbers as they go through Redis: see {@link callResults}. */
export function packFloats({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** @throws QueueError where these are not so many numbers. */
export function unpackFloats(text: string, count: number, what: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  if (bytes.byteLength !== 4 * count) throw unfit(what);
  return new Float32Array(bytes.buffer);
}

/** The error for a result that is sound, and not one to what was asked. */
export function unfit(what: string): QueueError {
  return new QueueError({
    what: `${what} in the queue does not fit what was asked`,
    fix: "All machines must run the same release of boundary; nobody else should write to its keys in Redis.",
  });
}
