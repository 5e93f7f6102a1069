/**
 * Frobenius norm of s * B * A without forming the product: ||BA||_F^2 = tr((B'B)(AA')), two rank x rank matrices.
 * @param a rank x inputs, row-major.
 * @param b outputs x rank, row-major.
 */
export function updateNorm(a: Float32Array, b: Float32Array, rank: number, scale: number): number {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  const gramOfA = new Float64Array(rank * rank);
  const gramOfB = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let column = 0; column < inputs; column++)
        sum += (a[i * inputs + column] ?? 0) * (a[j * inputs + column] ?? 0);
      gramOfA[i * rank + j] = gramOfA[j * rank + i] = sum;
    }
  }
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < rank; i++) {
      const left = b[row * rank + i] ?? 0;
      for (let j = 0; j < rank; j++)
        gramOfB[i * rank + j] = (gramOfB[i * rank + j] ?? 0) + left * (b[row * rank + j] ?? 0);
    }
  }
  const squared = gramOfA.reduce((sum, value, i) => sum + value * (gramOfB[i] ?? 0), 0);
  return Math.abs(scale) * Math.sqrt(Math.max(0, squared));
}

/** What the numbers of a module say about it. */
export interface UpdateFacts {
  /** Frobenius norm of s * B * A. */
  readonly norm: number;
  /** Whether every value is finite. */
  readonly finite: boolean;
  /** Whether B is all zero: never trained. */
  readonly zeroB: boolean;
}

/** {@link updateNorm} with a look at the numbers themselves. */
export function updateFacts(a: Float32Array, b: Float32Array, rank: number, scale: number): UpdateFacts {
  const finite = a.every(Number.isFinite) && b.every(Number.isFinite);
  return { norm: finite ? updateNorm(a, b, rank, scale) : Number.NaN, finite, zeroB: b.every((value) => value === 0) };
}
