/** Natural log-probabilities from logits. */
export function logProbabilities(logits: Float32Array): number[] {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  return [...logits].map((logit) => logit - highest - total);
}
