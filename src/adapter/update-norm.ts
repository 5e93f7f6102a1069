import { EigenvalueDecomposition, Matrix } from "ml-matrix";

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

/**
 * Largest singular value of s * B * A, without forming the product: the root of the largest eigenvalue of (B'B)(AA'), which is also that of the
 * symmetric R'(B'B)R where RR' = AA'.
 */
export function updateSpectralNorm({ ofA, ofB, rank }: FactorGrams, scale: number): number {
  const symmetric = { assumeSymmetric: true };
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(matrixOf(ofA, rank), symmetric);
  const roots = realEigenvalues.map((value) => Math.sqrt(Math.max(value, 0)));
  const root = eigenvectorMatrix.mulRowVector(roots);
  const product = root.transpose().mmul(matrixOf(ofB, rank)).mmul(root);
  return Math.abs(scale) * Math.sqrt(Math.max(0, ...new EigenvalueDecomposition(product, symmetric).realEigenvalues));
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
export function updateFacts(a: Float32Array, b: Float32Array, rank: number, scale: number): UpdateFacts {
  const finite = a.every(Number.isFinite) && b.every(Number.isFinite);
  return {
    norm: finite ? updateNorm(factorGrams(a, b, rank), scale) : Number.NaN,
    finite,
    zeroB: b.every((value) => value === 0),
  };
}
