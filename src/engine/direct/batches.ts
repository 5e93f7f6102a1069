/** Consecutive rows of a sequence, `from` included and `to` not. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

/**
 * So many rows of a sequence in one call are evaluated by llama.cpp's flash attention in tiles, fewer one by one, with other roundings
 * (GGML_FA_TILE_Q of ggml-cpu/common.h).
 */
export const TILE_ROWS = 64;

/** The batches in which a context reads a prompt. */
export function batchesOf(length: number, batchSize: number): Rows[] {
  const count = Math.ceil(length / batchSize);
  return Array.from({ length: count }, (_, i) => ({ from: i * batchSize, to: Math.min(length, (i + 1) * batchSize) }));
}

/** The same batches without the first `kept` rows. */
export function cutsOf(length: number, kept: number, batchSize: number): Rows[] {
  return batchesOf(length, batchSize).flatMap(({ from, to }) =>
    to <= kept ? [] : [{ from: Math.max(from, kept), to }],
  );
}

/**
 * How many tokens at the beginning of a prompt need not be evaluated again after another prompt, under the same mask: those that both
 * have, less what it takes for every row to be evaluated by the kernel that evaluates it where the prompts are read whole.
 * @param most upper bound; by default one token is left.
 */
export function keptTokens(
  before: readonly number[],
  tokens: readonly number[],
  batchSize: number,
  most: number = tokens.length - 1,
): number {
  let common = 0;
  while (common < most && common < before.length && tokens[common] === before[common]) common++;
  for (let kept = common; kept > 0; kept--) {
    const start = kept - (kept % batchSize);
    if (kept === start) return kept;
    const size = (length: number): number => Math.min(length - start, batchSize);
    const whole = kernelOf(size(tokens.length));
    if (whole === kernelOf(size(before.length)) && whole === kernelOf(size(tokens.length) - (kept - start)))
      return kept;
  }
  return 0;
}

/** Which of llama.cpp's kernels evaluate so many rows of a sequence: those for one, for some, for tiles. */
function kernelOf(rows: number): "one" | "some" | "tiles" {
  if (rows === 1) return "one";
  return rows < TILE_ROWS ? "some" : "tiles";
}
