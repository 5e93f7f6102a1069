import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Inner products of the rows of A and of the columns of B, [rank, rank] both: all that the singular values of B * A depend on. */
export interface FactorGrams {
  readonly ofA: Float64Array;
  readonly ofB: Float64Array;
  readonly rank: number;
}

/** How the numbers of A and B lie in their tensors. */
export interface FactorLayout {
  readonly rank: number;
  /** Whether A has a row for each input instead of one for each rank, as the token embedding's has in GGUF. */
  readonly rowsAreInputs?: boolean;
  /** How many pairs lie one behind the other, one for each expert; a single one where it is missing. */
  readonly experts?: number | undefined;
}

/**
 * Of each expert's pair, or of the only one.
 * @param a for each pair rank x inputs, row-major; inputs x rank where `rowsAreInputs`.
 * @param b for each pair outputs x rank, row-major.
 */
export function factorGrams(a: Float32Array, b: Float32Array, layout: FactorLayout): FactorGrams[] {
  const { rank, rowsAreInputs = false, experts = 1 } = layout;
  return Array.from({ length: experts }, (_, expert) => {
    const own = (values: Float32Array): Float32Array =>
      values.subarray((expert * values.length) / experts, ((expert + 1) * values.length) / experts);
    return {
      ofA: rowsAreInputs ? columnProducts(own(a), rank) : rowProducts(own(a), rank),
      ofB: columnProducts(own(b), rank),
      rank,
    };
  });
}

/** Inner products of the rows of a matrix that has `rank` of them. */
function rowProducts(values: Float32Array, rank: number): Float64Array {
  const length = values.length / rank;
  const products = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let column = 0; column < length; column++)
        sum += (values[i * length + column] ?? 0) * (values[j * length + column] ?? 0);
      products[i * rank + j] = products[j * rank + i] = sum;
    }
  }
  return products;
}

/** Inner products of the columns of a matrix that has `rank` of them. */
function columnProducts(values: Float32Array, rank: number): Float64Array {
  const products = new Float64Array(rank * rank);
  for (let row = 0; row < values.length; row += rank) {
    for (let i = 0; i < rank; i++) {
      const left = values[row + i] ?? 0;
      for (let j = 0; j < rank; j++)
        products[i * rank + j] = (products[i * rank + j] ?? 0) + left * (values[row + j] ?? 0);
    }
  }
  return products;
}

/** Frobenius norm of s * B * A over all pairs, without forming the products: ||BA||_F^2 = tr((B'B)(AA')). */
export function updateNorm(pairs: readonly FactorGrams[], scale: number): number {
  const squared = pairs.map(({ ofA, ofB }) => ofA.reduce((sum, value, i) => sum + value * (ofB[i] ?? 0), 0));
  return Math.abs(scale) * Math.sqrt(squared.reduce((sum, value) => sum + Math.max(0, value), 0));
}

/**
 * Largest singular value of s * B * A, of experts that of the strongest, without forming the product: the root of the largest eigenvalue of (B'B)(AA'), which is also that of the
 * symmetric R'(B'B)R where RR' = AA'.
 */
export function updateSpectralNorm(pairs: readonly FactorGrams[], scale: number): number {
  return Math.abs(scale) * Math.max(0, ...pairs.map(largestSingularValue));
}

function largestSingularValue({ ofA, ofB, rank }: FactorGrams): number {
  const symmetric = { assumeSymmetric: true };
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(matrixOf(ofA, rank), symmetric);
  const roots = realEigenvalues.map((value) => Math.sqrt(Math.max(value, 0)));
  const root = eigenvectorMatrix.mulRowVector(roots);
  const product = root.transpose().mmul(matrixOf(ofB, rank)).mmul(root);
  return Math.sqrt(Math.max(0, ...new EigenvalueDecomposition(product, symmetric).realEigenvalues));
}

function matrixOf(values: Float64Array, rank: number): Matrix {
  return Matrix.from1DArray(rank, rank, values);
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
export function updateFacts(a: Float32Array, b: Float32Array, layout: FactorLayout, scale: number): UpdateFacts {
  const finite = a.every(Number.isFinite) && b.every(Number.isFinite);
  return {
    norm: finite ? updateNorm(factorGrams(a, b, layout), scale) : Number.NaN,
    finite,
    zeroB: b.every((value) => value === 0),
  };
}
