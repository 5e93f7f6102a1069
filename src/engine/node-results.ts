import type { ControlledEvaluateIndexOutput, Token } from "node-llama-cpp";
import { defined } from "../assert.js";

/** What node-llama-cpp's `controlledEvaluate` gives for each of its inputs; undefined where nothing was asked for. */
type Outputs = readonly (ControlledEvaluateIndexOutput | undefined)[];

/**
 * Logits by token id, from node-llama-cpp's map of them.
 * @param place index of the input that they follow.
 * @param vocabulary entries of the vocabulary: each must have its logit.
 * @throws RangeError where logits are missing: releases of node-llama-cpp before 3.22 give none.
 */
export function logitsOf(outputs: Outputs, place: number, vocabulary: number): Float32Array {
  const what = "logits in node-llama-cpp's result, which its release 3.22 and later give";
  const given = defined(outputs.at(place)?.next.logits, what);
  if (given.size !== vocabulary) {
    throw new RangeError(`node-llama-cpp gave ${given.size} logits for a vocabulary of ${vocabulary} tokens`);
  }
  const logits = new Float32Array(vocabulary);
  for (const [token, logit] of given) logits[token] = logit;
  return logits;
}

/**
 * The token that follows the last input; undefined where the engine ends the text.
 * @throws RangeError where node-llama-cpp says nothing of it.
 */
export function tokenOf(outputs: Outputs): Token | undefined {
  const next = defined(outputs.at(-1)?.next, "the next token in node-llama-cpp's result");
  if (next.token === undefined) throw new RangeError("missing: the next token in node-llama-cpp's result");
  return next.token ?? undefined;
}
