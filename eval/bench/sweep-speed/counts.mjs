/**
 * Decode calls that an answer took part in: its first token comes from the prefill, and an answer that was not cut at the limit needed one
 * more for its end-of-generation token.
 */
export const decodeSteps = (tokens, maxTokens) => (tokens.length < maxTokens ? tokens.length : maxTokens - 1);

/** Tokens prefilled and decoded for these answers, each computed by itself. @param boundaries as in an arm's result */
export function tokenCounts(workload, boundaries) {
  const promptTokens = workload.prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const steps = (answers) => answers.reduce((sum, { tokens }) => sum + decodeSteps(tokens, workload.maxTokens), 0);
  return {
    prefilled: promptTokens * boundaries.length,
    decoded: boundaries.reduce((sum, { answers }) => sum + steps(answers), 0),
  };
}

/** Layer-tokens of the plain way, where every boundary computes all layers of every token: K of them with the adapter. */
export function plainWork(workload, boundaries) {
  const work = { prefill: { base: 0, adapter: 0 }, decode: { 1: { base: 0, adapter: 0 } } };
  for (const one of boundaries) {
    const { prefilled, decoded } = tokenCounts(workload, [one]);
    for (const [counts, tokens] of [
      [work.prefill, prefilled],
      [work.decode[1], decoded],
    ]) {
      counts.adapter += tokens * one.boundary;
      counts.base += tokens * (workload.layers - one.boundary);
    }
  }
  return work;
}

/** Median; of an even number the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
