import { at } from "../assert.js";
import type { OnLogits, ReadText, TextReader } from "./direct/text-reader.js";
import type { Likelihood, LikelihoodRequest } from "./engine.js";

/** A prompt with the text that is to follow it. */
type ContinuedPrompt = LikelihoodRequest["prompts"][number];

/** Adds up how probable the tokens of a continuation are, as the logits before them come. */
export class ContinuationSum {
  /** What is to be read: the last token of the continuation is predicted, and predicts nothing. */
  readonly text: ReadText;
  private sum = 0;

  /** @throws RangeError for a prompt without tokens. */
  constructor(private readonly prompt: ContinuedPrompt) {
    const { tokens, continuation } = prompt;
    assertPrompt(tokens);
    const firstOutput = tokens.length - Math.min(1, continuation.length);
    this.text = { tokens: [...tokens, ...continuation.slice(0, -1)], firstOutput };
  }

  readonly add: OnLogits = (logits, place) => {
    const from = place - this.text.firstOutput;
    logits.forEach((row, i) => (this.sum += logProbabilities(row)(at(this.prompt.continuation, from + i))));
  };

  get likelihood(): Likelihood {
    return { id: this.prompt.id, logProbability: this.sum, tokens: this.prompt.continuation.length };
  }
}

/**
 * Log-probability of a continuation: prompt and continuation in one pass, cut at the context's `batchSize`; logits
 * are asked for only where they predict a token of the continuation.
 */
export function likelihoodOf(reader: TextReader, prompt: ContinuedPrompt): Likelihood {
  const sum = new ContinuationSum(prompt);
  if (prompt.continuation.length > 0) reader.read(sum.text, reader.keeps(sum.text), sum.add);
  return sum.likelihood;
}

/** Natural log-probabilities of tokens by their logits. The sum runs over the whole vocabulary, relative to the highest logit so that nothing overflows. */
export function logProbabilities(logits: Float32Array): (token: number) => number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - highest);
  return (token) => at(logits, token) - highest - Math.log(total);
}

function assertPrompt(tokens: readonly number[]): void {
  if (tokens.length === 0) throw new RangeError("nothing to evaluate");
}
