import { z } from "zod";
import { at } from "../assert.js";
import { QueueError } from "../errors.js";
import type { Seal } from "./seal.js";

/**
 * Bounds of what goes through Redis, in bytes of JSON unless it says otherwise. A job names its adapter and its prompts by hash, so that it stays small;
 * they leave room for a vocabulary's logits and for hundreds of boundaries.
 */
export const LIMITS = {
  job: 4 << 20,
  /** What a worker tells at once. */
  entry: 8 << 20,
  /** A text by its hash: a prompt's tokens, or texts that are to be tokenised. */
  text: 8 << 20,
  /** All texts that one job names: prompts of some tens of seconds. */
  texts: 128 << 20,
  /** Bytes of a file, and of each chunk that it travels in; a worker takes no more than its cache holds. */
  file: 64 * 2 ** 30,
  chunk: 1 << 20,
} as const;

/**
 * Longest time limit of a job. Jobs take 20 to 90 seconds, and get ten times that; the first of a lane gets half an hour, a single call an hour. What
 * needs more is one sample on a slow machine: it may take 36 minutes by what was measured, with the same factor of ten.
 */
export const LONGEST_JOB_MS = 6 * 3600 * 1000;
/** Tokens in all sequences of a context: as many as the longest contexts of today's models, four times over. */
const MOST_CONTEXT_TOKENS = 1 << 22;
/** Characters of a failure's message. */
export const MESSAGE_CHARACTERS = 2_000;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Short names of ours: ids, keys. */
const word = z.string().min(1).max(200);
/** A token of any vocabulary. */
export const tokenId = z.number().int().min(0).max(0x7fffffff);
const milliseconds = z.number().min(0);

const contextShape = z
  .strictObject({
    sequences: z.number().int().min(1).max(256),
    contextSize: z.number().int().min(1).max(MOST_CONTEXT_TOKENS),
    batchSize: z
      .number()
      .int()
      .min(1)
      .max(1 << 16),
    cacheType: z.enum(["F16", "F32"]),
    flashAttention: z.enum(["auto", "off"]),
  })
  .refine(
    ({ sequences, contextSize }) => sequences * contextSize <= MOST_CONTEXT_TOKENS,
    `more than ${MOST_CONTEXT_TOKENS} tokens in all sequences together`,
  );

/** Pieces that make a mask: places in the job's list, each with its scale. */
const mask = z.array(z.tuple([z.number().int().min(0), z.number()])).max(4096);

/** A part of the adapter: the worker cuts it out of its own copy, and checks that the same bytes came out. */
const pieceSchema = z.strictObject({
  sha256,
  modules: z
    .array(z.string().max(200))
    .min(1)
    .max(1 << 16),
  /** What is multiplied into them, where it is not 1. */
  times: z.number().optional(),
  padded: z.boolean(),
});

const settingsSchema = z.strictObject({
  masks: z
    .array(z.strictObject({ boundary: z.number().int().min(0), pieces: mask }))
    .min(1)
    .max(4096),
  /** The full adapter, where the masks are boundaries that share layers. */
  full: mask.optional(),
  context: contextShape,
  maxTokens: z
    .number()
    .int()
    .min(1)
    .max(1 << 20),
  stop: z.array(z.string().max(1000)).max(100),
  invariantTokens: z.number().int().min(0).optional(),
});

const promptSchema = z.strictObject({
  id: z.string().max(1000),
  /** Hash of the text with its token ids. */
  tokens: sha256,
});

const common = {
  /** The run that asks: answers go to its stream. */
  run: word,
  /** Time after which the engine is taken for hung. */
  timeoutMs: z.number().int().min(1000).max(LONGEST_JOB_MS),
  /** Workers that may not do it: they have given different answers to it. */
  except: z.array(word).max(16).optional(),
};
const withAdapter = {
  ...common,
  adapter: sha256,
  adapterBytes: z.number().int().min(0).max(LIMITS.file),
  pieces: z.array(pieceSchema).max(4096),
};

const answersSchema = z.strictObject({
  kind: z.literal("answers"),
  ...withAdapter,
  settings: z.array(settingsSchema).min(1).max(4096),
  /** Prompts that go to the engine at once, under the settings at that place; `ask` names what is asked of them. */
  waves: z
    .array(
      z.strictObject({
        settings: z.number().int().min(0),
        asks: z.array(word).min(1),
        prompts: z.array(promptSchema).min(1).max(256),
      }),
    )
    .min(1)
    .max(1 << 14),
});

const boundaryMask = z.strictObject({ boundary: z.number().int(), pieces: mask });
const continuedPrompts = z.array(promptSchema.extend({ continuation: z.array(tokenId).max(1 << 16) })).max(1 << 12);

const callSchema = z.discriminatedUnion("method", [
  z.strictObject({ method: z.literal("tokenize"), texts: sha256 }),
  z.strictObject({ method: z.literal("logits"), mask, context: contextShape, tokens: sha256 }),
  z.strictObject({
    method: z.literal("shortcuts"),
    full: mask,
    boundary: boundaryMask.optional(),
    context: contextShape,
    tokens: sha256,
  }),
  z.strictObject({ method: z.literal("likelihoods"), mask, context: contextShape, prompts: continuedPrompts }),
  z.strictObject({
    method: z.literal("sharedLikelihoods"),
    full: mask,
    boundaries: z.array(boundaryMask).max(1 << 12),
    context: contextShape,
    prompts: continuedPrompts,
  }),
  z.strictObject({
    method: z.literal("hidden"),
    mask,
    context: contextShape,
    prompts: z.array(promptSchema.extend({ positions: z.array(z.number().int().min(0)).max(1 << 16) })).max(1 << 12),
  }),
  z.strictObject({
    method: z.literal("energies"),
    mask,
    context: contextShape,
    prompts: z.array(promptSchema).max(1 << 14),
  }),
]);

const jobSchema = z.discriminatedUnion("kind", [
  answersSchema,
  z.strictObject({ kind: z.literal("call"), ...withAdapter, call: callSchema, nonce: word }),
]);

/** One piece of work for a worker. */
export type Job = z.output<typeof jobSchema>;
export type AnswersJob = z.output<typeof answersSchema>;
export type Call = z.output<typeof callSchema>;
/** Masks and generation settings under which prompts are answered. */
export type JobSettings = z.output<typeof settingsSchema>;
export type JobPiece = z.output<typeof pieceSchema>;
export type JobPrompt = z.output<typeof promptSchema>;

const generationSchema = z.strictObject({
  id: z.string().max(1000),
  text: z.string(),
  tokens: z.array(tokenId).readonly(),
  stopReason: z.enum(["eog", "length", "stop"]),
  promptTokens: z.number().int().min(0),
  prefillMs: milliseconds,
  decodeMs: milliseconds,
  decodedTokens: z.number().int().min(0),
  /** Written by the coordinator, where workers differ. */
  worker: z.string().max(400).optional(),
});

const rowSchema = z.strictObject({ ask: word, boundary: z.number().int().min(0), generation: generationSchema });

const entrySchema = z.strictObject({
  job: word,
  worker: word,
  rows: z.array(rowSchema).optional(),
  /** What a call found: its type belongs to the call. */
  result: z.unknown().optional(),
  /** Where the job has ended well: the seconds that the engine took. */
  done: z.strictObject({ seconds: z.number().min(0) }).optional(),
  failure: z
    .strictObject({
      /** `missing`: what the job names by hash is not in Redis; `refused`: the worker's owner does not allow it; `engine`: llama.cpp failed. */
      kind: z.enum(["missing", "refused", "engine"]),
      message: z.string().max(MESSAGE_CHARACTERS),
    })
    .optional(),
});

/** What a worker tells a run. */
export type Entry = z.output<typeof entrySchema>;
export type Row = z.output<typeof rowSchema>;

/** @throws QueueError when it is no job. */
export function parseJob(value: unknown): Job {
  const bytes = JSON.stringify(value ?? null).length;
  if (bytes > LIMITS.job) throw tooLarge("a job", bytes, LIMITS.job);
  return checked(jobSchema, value, "a job");
}

/** The text of a job. @throws QueueError when it is longer than {@link LIMITS}. */
export function jobText(seal: Seal, queue: string, id: string, job: Job): string {
  const text = seal.close(["job", queue, id], job);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.job) throw tooLarge("a job", bytes, LIMITS.job);
  return text;
}

/** The job of a text. @throws QueueError when it is too long, SealError when nobody with the key put it there, QueueError when it is no job. */
export function openJob(seal: Seal, queue: string, id: string, text: unknown): Job {
  if (typeof text === "string" && text.length > LIMITS.job) throw tooLarge("a job", text.length, LIMITS.job);
  return parseJob(seal.open(["job", queue, id], text));
}

/** @throws QueueError when the text is nothing that a worker may tell. */
export function parseEntry(seal: Seal, run: string, text: string): Entry {
  if (text.length > LIMITS.entry) throw tooLarge("an answer of a worker", text.length, LIMITS.entry);
  return checked(entrySchema, seal.open(["entry", run], text), "an answer of a worker");
}

/** The text of an entry. @throws QueueError when it is longer than {@link LIMITS}. */
export function entryText(seal: Seal, run: string, entry: Entry): string {
  const text = seal.close(["entry", run], entry);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.entry) throw tooLarge("an answer of a worker", bytes, LIMITS.entry);
  return text;
}

/** Checks a message against its schema. @throws QueueError that names the first place that is wrong. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = at(result.error.issues, 0);
  throw new QueueError({
    what: `${what} in the queue is not what it must be`,
    actual: `${path.join(".")}: ${message}`,
    fix: "All machines must run the same release of boundary; nobody else should write to its keys in Redis.",
  });
}

/** The error for a message beyond its bound. */
export function tooLarge(what: string, bytes: number, limit: number): QueueError {
  return new QueueError({
    what: `${what} is too large for the queue`,
    actual: `${bytes} bytes`,
    expected: `at most ${limit}`,
  });
}
