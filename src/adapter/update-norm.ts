/** Inner products of the rows of A and of the columns of B, [rank, rank] both: all that the singular values of B * A depend on. */
export interface FactorGrams {
  readonly ofA: Float64Array;
  readonly ofB: Float64Array;
  readonly rank: number;
}

/**
 * @param a rank x inputs, row-major.
 * @param b outputs x rank, row-major.
 */
export function factorGrams(a: Float32Array, b: Float32Array, rank: number): FactorGrams {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  const ofA = new Float64Array(rank * rank);
  const ofB = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let column = 0; column < inputs; column++)
        sum += (a[i * inputs + column] ?? 0) * (a[j * inputs + column] ?? 0);
      ofA[i * rank + j] = ofA[j * rank + i] = sum;
    }
  }
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < rank; i++) {
      const left = b[row * rank + i] ?? 0;
      for (let j = 0; j < rank; j++) ofB[i * rank + j] = (ofB[i * rank + j] ?? 0) + left * (b[row * rank + j] ?? 0);
    }
  }
  return { ofA, ofB, rank };
}

/** Frobenius norm of s * B * A without forming the product: ||BA||_F^2 = tr((B'B)(AA')). */
export function updateNorm({ ofA, ofB }: FactorGrams, scale: number): number {
  const squared = ofA.reduce((sum, value, i) => sum + value * (ofB[i] ?? 0), 0);
  return Math.abs(scale) * Math.sqrt(Math.max(0, squared));
}

/** Iterations after which the largest singular value stands to many digits unless the two largest are all but equal; then it is either. */
const ITERATIONS = 300;

/** Largest singular value of s * B * A, without forming the product: the root of the largest eigenvalue of (B'B)(AA'), by power iteration. */
export function updateSpectralNorm({ ofA, ofB, rank }: FactorGrams, scale: number): number {
  let vector = Float64Array.from({ length: rank }, (_, i) => 1 + i / rank);
  let eigenvalue = 0;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const next = times(ofB, times(ofA, vector));
    const length = Math.hypot(...next);
    if (length === 0) return 0;
    const found = length / Math.hypot(...vector);
    vector = next.map((value) => value / length);
    if (Math.abs(found - eigenvalue) <= 1e-14 * found) break;
    eigenvalue = found;
  }
  return Math.abs(scale) * Math.sqrt(Math.max(eigenvalue, 0));
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  return vector.map((_, i) => vector.reduce((sum, value, j) => sum + (matrix[i * n + j] ?? 0) * value, 0));
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
  return {
    norm: finite ? updateNorm(factorGrams(a, b, rank), scale) : Number.NaN,
    finite,
    zeroB: b.every((value) => value === 0),
  };
}
