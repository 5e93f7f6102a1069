import type { ScaledPiece } from "../../adapter/pieces.js";
import type { ContextShape, ShortcutRequest } from "../engine.js";
import type { DirectContext } from "./direct-context.js";
import { mostProbable, type MaskAdapters } from "./direct-decoder.js";
import type { DirectModel } from "./direct-model.js";

/**
 * Tokens of a sequence up to which a step gives the same in any company. Attention looks at cells in blocks of 256
 * (llama_kv_cache::get_n_kv); from two blocks on a row that comes alone is cut into parts, one for each thread, and added up in another
 * order (use_split_kv_path of ggml-cpu/ops.cpp).
 */
export const BATCHED_CELLS = 256;
/** Tokens of the prompt that shortcuts are tried on: enough to be evaluated in tiles. */
export const TRIAL_TOKENS = 72;
/** Steps that are compared. */
const TRIAL_STEPS = 4;

/** Why decode steps in company do not give what they give alone; undefined where they do, bit for bit. */
export function batchRefusal(model: DirectModel, { full, context, tokens }: ShortcutRequest): string | undefined {
  if (full.some(({ paddedPath }) => paddedPath === undefined)) {
    return "the adapter's matrices are of a type that cannot be padded";
  }
  const trial = tokens.slice(0, TRIAL_TOKENS);
  const shape: ContextShape = { ...context, sequences: 2, contextSize: BATCHED_CELLS };
  const opened = model.openContext(shape);
  try {
    for (const pieces of [[], full]) {
      if (!sameInCompany(opened, masksOf(model, pieces), trial)) return "steps in company differ from steps alone here";
    }
    return undefined;
  } finally {
    opened.close();
  }
}

/** The adapters of a mask in both forms. */
export function masksOf(model: DirectModel, pieces: readonly ScaledPiece[]): MaskAdapters {
  return { plain: model.adaptersOf(pieces, "plain"), padded: model.adaptersOf(pieces, "padded") };
}

/** Takes steps one by one with the adapters as they are, then again side by side, in two sequences, with the padded ones. */
function sameInCompany(context: DirectContext, mask: MaskAdapters, prompt: readonly number[]): boolean {
  context.clear();
  context.setAdapters(mask.plain);
  const logits = [Float32Array.from(context.prefill(prompt, 0))];
  context.restore(1, [context.state(0)]);
  const said: number[] = [];
  for (let step = 0; step < TRIAL_STEPS; step++) {
    const token = mostProbable(logits[step] ?? new Float32Array());
    said.push(token);
    const [row] = context.decode([{ token, position: prompt.length + step, sequence: 0, output: true }]);
    logits.push(Float32Array.from(row ?? []));
  }
  context.forget(0, prompt.length);
  context.setAdapters(mask.padded);
  const rows = context.decode(
    [0, 1].flatMap((sequence) => {
      return said.map((token, step) => ({ token, position: prompt.length + step, sequence, output: true }));
    }),
  );
  return rows.every((row, i) => equalBits(row, logits[1 + (i % TRIAL_STEPS)]));
}

/** Whether two arrays hold the same numbers, bit for bit. */
export function equalBits(a: Float32Array, b: Float32Array | undefined): boolean {
  if (b?.length !== a.length) return false;
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf(numbers: Float32Array): Buffer {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
