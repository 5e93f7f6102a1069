import { BoundaryError } from "../errors.js";

/** Rows of samples, [samples, length], one behind the other. */
export interface Rows {
  readonly samples: number;
  readonly length: number;
  readonly values: ArrayLike<number>;
}

/** Below so few samples the unbiased estimate is not defined. */
const FEWEST_UNBIASED = 4;

/**
 * Linear CKA of two representations of the same samples, 0-1: `||X'Y||^2 / (||X'X|| ||Y'Y||)`, Frobenius norms of centred X and Y. It is
 * computed from the samples' inner products, which are fewer than those of features and give the same.
 *
 * Sources: Kornblith et al., Similarity of Neural Network Representations Revisited (2019), section 3; `linear_cka` of
 * c2d-usp/Layer-wise-LoRA-with-CKA, whose floor of 1e-12 under the denominator is kept.
 * @throws BoundaryError for fewer than two samples, or different ones.
 */
export function linearCka(x: Rows, y: Rows): number {
  assertPaired(x, y, 2);
  const [a, b] = [centred(innerProducts(x), x.samples), centred(innerProducts(y), y.samples)];
  return dot(a, b) / Math.max(1e-12, Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b)));
}

/**
 * Linear CKA from the unbiased estimate of HSIC. With few samples the plain one lies too close to 1: of unrelated representations it is about
 * features / (features + samples). This one can fall below 0.
 *
 * Sources: Song et al., Feature Selection via Dependence Maximization (2012), equation 5; Nguyen, Raghu and Kornblith, Do Wide and Deep
 * Networks Learn the Same Things? (2021), section 2.
 * @throws BoundaryError for fewer than four samples, or different ones.
 */
export function unbiasedCka(x: Rows, y: Rows): number {
  assertPaired(x, y, FEWEST_UNBIASED);
  const [a, b] = [innerProducts(x), innerProducts(y)];
  const n = x.samples;
  return hsic(a, b, n) / Math.sqrt(Math.max(1e-24, hsic(a, a, n) * hsic(b, b, n)));
}

/** Share of a representation's squares below which what varies between samples is rounding. */
const ROUNDING = 1e-12;

/** Whether a representation is the same for every sample, so that there is nothing to compare it by. */
export function isConstant({ samples, length, values }: Rows): boolean {
  let [spread, size] = [0, 0];
  for (let k = 0; k < length; k++) {
    let sum = 0;
    for (let i = 0; i < samples; i++) sum += values[i * length + k] ?? 0;
    const mean = sum / samples;
    for (let i = 0; i < samples; i++) {
      const value = values[i * length + k] ?? 0;
      spread += (value - mean) ** 2;
      size += value ** 2;
    }
  }
  return spread <= ROUNDING * size;
}

/** X X', [samples, samples]. */
function innerProducts({ samples, length, values }: Rows): Float64Array {
  const products = new Float64Array(samples * samples);
  for (let i = 0; i < samples; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += (values[i * length + k] ?? 0) * (values[j * length + k] ?? 0);
      products[i * samples + j] = products[j * samples + i] = sum;
    }
  }
  return products;
}

/** Inner products of the centred rows: H K H. */
function centred(products: Float64Array, n: number): Float64Array {
  const means = rowSums(products, n).map((sum) => sum / n);
  const mean = means.reduce((sum, value) => sum + value, 0) / n;
  return products.map((value, at) => value - (means[Math.floor(at / n)] ?? 0) - (means[at % n] ?? 0) + mean);
}

/** HSIC_1 of Song et al., without diagonals. */
function hsic(a: Float64Array, b: Float64Array, n: number): number {
  const [k, l] = [withoutDiagonal(a, n), withoutDiagonal(b, n)];
  const [rowsK, rowsL] = [rowSums(k, n), rowSums(l, n)];
  const total = (sums: Float64Array): number => sums.reduce((sum, value) => sum + value, 0);
  const inner = dot(k, l) + (total(rowsK) * total(rowsL)) / ((n - 1) * (n - 2)) - (2 / (n - 2)) * dot(rowsK, rowsL);
  return inner / (n * (n - 3));
}

function withoutDiagonal(products: Float64Array, n: number): Float64Array {
  return products.map((value, at) => (Math.floor(at / n) === at % n ? 0 : value));
}

function rowSums(products: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    return products.subarray(i * n, (i + 1) * n).reduce((sum, value) => sum + value, 0);
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function assertPaired(x: Rows, y: Rows, fewest: number): void {
  if (x.samples === y.samples && x.samples >= fewest) return;
  throw new BoundaryError({
    what: "CKA cannot be computed",
    actual: x.samples === y.samples ? `${x.samples} samples` : `${x.samples} and ${y.samples} samples`,
    expected: `the same samples on both sides, at least ${fewest}`,
    fix: "Give more samples.",
  });
}
