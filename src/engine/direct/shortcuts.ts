import { at, defined } from "../../assert.js";
import type { ScaledPiece } from "../../adapter/pieces.js";
import { messageOf } from "../../errors.js";
import type { ShortcutRequest } from "../engine.js";
import type { ContextShape } from "../layer-passes.js";
import type { DirectContext } from "./direct-context.js";
import { mostProbable, type MaskAdapters } from "./direct-decoder.js";
import type { DirectModel } from "./direct-model.js";
import { CELL_BLOCK } from "./row-attention.js";

/** Tokens of the prompt that shortcuts are tried on: enough to be evaluated in tiles. */
export const TRIAL_TOKENS = 72;
/** Steps that are compared. */
const TRIAL_STEPS = 4;

/** How long sequences may be whose decode steps in company give what they give alone, bit for bit; why not longer. */
export interface BatchTrial {
  readonly cells: number;
  readonly refusal?: string;
}

/** Compares steps in company with steps alone; where sequences may fill more than one block of cells, across its end too. */
export function tryBatches(model: DirectModel, { full, context, tokens }: ShortcutRequest): BatchTrial {
  if (full.some(({ paddedPath }) => paddedPath === undefined)) {
    return { cells: 0, refusal: "the adapter's matrices are of a type that cannot be padded" };
  }
  const across = CELL_BLOCK - TRIAL_STEPS / 2;
  const shape: ContextShape = { ...context, sequences: 2, contextSize: 2 * CELL_BLOCK };
  const opened = model.openContext(shape);
  const same = (prompt: readonly number[], pieces: readonly ScaledPiece[]): boolean => {
    return sameInCompany(opened, masksOf(model, pieces), prompt);
  };
  try {
    const short = tokens.slice(0, TRIAL_TOKENS);
    if (!same(short, []) || !same(short, full)) {
      return { cells: 0, refusal: "steps in company differ from steps alone here" };
    }
    if (context.contextSize <= CELL_BLOCK) return { cells: context.contextSize };
    const long = Array.from({ length: across }, (_, i) => at(tokens, i % tokens.length));
    return same(long, full)
      ? { cells: context.contextSize }
      : { cells: CELL_BLOCK, refusal: "longer ones differ in company from steps alone here" };
  } catch (error) {
    return { cells: 0, refusal: messageOf(error) };
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
    const token = mostProbable(at(logits, step));
    said.push(token);
    const [row] = context.decode([{ token, position: prompt.length + step, sequence: 0, output: true }]);
    logits.push(Float32Array.from(defined(row, "logits of a trial step")));
  }
  context.forget(0, prompt.length);
  context.setAdapters(mask.padded);
  const rows = context.decodeApart(
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
