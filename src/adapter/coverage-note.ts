/**
 * Which K can matter, where the lowest adapted layer is not layer 0, as mlx-lm and `layers_to_transform` have it: a boundary below it drops
 * everything. Undefined where every K can.
 * @param coverage the adapted layers, ascending.
 */
export function coverageNote(coverage: readonly number[]): string | undefined {
  const [lowest = 0] = coverage;
  const highest = coverage.at(-1) ?? 0;
  if (lowest === 0) return undefined;
  return `Layers ${lowest} to ${highest} are adapted, so only K from ${lowest + 1} on keeps any of it, and K = ${highest + 1} keeps all of it.`;
}
