import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from "node-llama-cpp";
import { at } from "../assert.js";
import type { DirectContext } from "./direct/direct-context.js";
import type { Likelihood, LikelihoodRequest } from "./engine.js";
import { logitsOf } from "./node-results.js";

/** A prompt with the text that is to follow it. */
type ContinuedPrompt = LikelihoodRequest["prompts"][number];

/**
 * Log-probability of a continuation by calling llama.cpp directly: prompt and continuation in one pass from the start of sequence 0, cut at
 * `batchSize`; logits are asked for only where they predict a token of the continuation.
 * @throws RangeError for a prompt without tokens.
 */
export function directLikelihood(
  context: DirectContext,
  { id, tokens, continuation }: ContinuedPrompt,
  batchSize: number,
): Likelihood {
  assertPrompt(tokens);
  // The last token of the continuation is predicted, and predicts nothing.
  const evaluated = [...tokens, ...continuation].slice(0, tokens.length + Math.max(0, continuation.length - 1));
  const first = tokens.length - 1;
  let sum = 0;
  for (let start = 0; start < evaluated.length && continuation.length > 0; start += batchSize) {
    const part = evaluated.slice(start, start + batchSize);
    const rows = context.decode(
      part.map((token, i) => ({ token, position: start + i, sequence: 0, output: start + i >= first })),
    );
    const from = Math.max(first, start) - first;
    rows.forEach((logits, i) => (sum += logProbability(logits, at(continuation, from + i))));
  }
  context.clear();
  return { id, logProbability: sum, tokens: continuation.length };
}

/** {@link directLikelihood} through node-llama-cpp, which gives out the logits of every token of the vocabulary at each such place. */
export async function nodeLikelihood(
  sequence: LlamaContextSequence | undefined,
  { id, tokens, continuation }: ContinuedPrompt,
  vocabulary: number,
): Promise<Likelihood> {
  if (!sequence) throw new RangeError("a context without sequences");
  assertPrompt(tokens);
  if (continuation.length === 0) return { id, logProbability: 0, tokens: 0 };
  const evaluated = [...tokens, ...continuation.slice(0, -1)] as Token[];
  const first = tokens.length - 1;
  const input = evaluated.map((token, place): ControlledEvaluateInputItem => {
    return place < first ? token : [token, { generateNext: { logits: true } }];
  });
  const output = await sequence.controlledEvaluate(input);
  let sum = 0;
  continuation.forEach((token, i) => {
    sum += logProbability(logitsOf(output, first + i, vocabulary), token);
  });
  await sequence.clearHistory();
  return { id, logProbability: sum, tokens: continuation.length };
}

/** Natural log-probability of a token. The sum runs over the whole vocabulary, relative to the highest logit so that nothing overflows. */
function logProbability(logits: Float32Array, token: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - highest);
  return at(logits, token) - highest - Math.log(total);
}

function assertPrompt(tokens: readonly number[]): void {
  if (tokens.length === 0) throw new RangeError("nothing to evaluate");
}
