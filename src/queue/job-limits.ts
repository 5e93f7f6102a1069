import { gib } from "../files/gib.js";
import type { BaseModel } from "../adapter/base-model.js";
import type { EngineInfo } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { availableMemory } from "../engine/machine.js";
import { MemoryError, QueueError } from "../errors.js";
import { LIMITS, type Job } from "./messages.js";

const F32_BYTES = 4;
/** Bytes of base64 for each byte. */
const BASE64 = 4 / 3;

/**
 * Checks what a job would take against this machine before anything is opened for it.
 * @throws MemoryError when it would not fit into memory; QueueError when its result could not be sent.
 */
export function assertAffordable(
  job: Job,
  model: BaseModel,
  { backend, vocabulary }: EngineInfo,
  available = availableMemory(),
): void {
  const contexts = job.kind === "answers" ? job.settings.map(({ context }) => context) : contextOf(job);
  // A GPU's memory shows when a context is made in it; that fails then, and takes nothing with it.
  const caches = backend === "cpu" ? contexts.map((context) => contextBytes(context, model, vocabulary)) : [0];
  // Pieces are read into memory; together they are at most the adapter, plain and padded.
  const required = Math.max(0, ...caches) + 2 * job.adapterBytes;
  if (required > available) {
    throw new MemoryError(
      {
        what: "a job takes more memory than this worker has",
        actual: `${gib(required)} for its context and adapter`,
        expected: `at most ${gib(available)}`,
        fix: "Lower --context-size or --sequences of the sweep, or use a worker with more memory.",
      },
      required,
      available,
    );
  }
  assertSendable(job, model);
}

function contextOf(job: Extract<Job, { kind: "call" }>): ContextShape[] {
  return job.call.method === "tokenize" ? [] : [job.call.context];
}

/** Bytes of a context: its key/value cache, and the logits of one batch. */
function contextBytes(context: ContextShape, { cacheBytesPerToken }: BaseModel, vocabulary: number): number {
  const { sequences, contextSize, batchSize, cacheType } = context;
  // Models without attention have no such cache.
  const perToken = Number.isFinite(cacheBytesPerToken) ? cacheBytesPerToken : 0;
  const cache = (cacheType === "F32" ? 2 : 1) * perToken * sequences * contextSize;
  return cache + Math.min(batchSize, sequences * contextSize) * vocabulary * F32_BYTES;
}

/** Hidden states of a prompt are the only result that a small job can make large. */
function assertSendable(job: Job, { shapes, layerCount }: BaseModel): void {
  if (job.kind !== "call" || job.call.method !== "hidden") return;
  const width = shapes.get("token_embd.weight")?.[0] ?? 1;
  const positions = job.call.prompts.reduce((sum, prompt) => sum + prompt.positions.length, 0);
  const bytes = positions * (layerCount + 2) * width * F32_BYTES * BASE64;
  if (bytes <= LIMITS.entry) return;
  throw new QueueError({
    what: "a job asks for more hidden states than an answer can hold",
    actual: `${positions} positions, ${Math.round(bytes)} bytes`,
    expected: `at most ${LIMITS.entry} bytes`,
  });
}
