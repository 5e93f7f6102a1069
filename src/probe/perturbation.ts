import type { InputMoment } from "../engine/layer-passes.js";
import { F32 } from "../formats/ggml-types.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { RandomGenerator } from "../samples/shuffle.js";
import { uniformInt } from "../statistics/random.js";
import { choleskyRows, solveTransposed } from "./cholesky.js";

/** Share of the mean eigenvalue of E[x x'] that is added to it: of fewer tokens than inputs it has no inverse. */
export const RIDGE = 1e-3;

/** A factor from which directions v with E[v v'] = (E[x x'] + ridge)^-1 are drawn. */
export interface Whitening {
  readonly length: number;
  /** Rows of L, where L L' is the moment with its ridge. */
  readonly lower: readonly Float64Array[];
  /** E[x x'], [length, length]. */
  readonly moment: Float64Array;
}

/** A change of one module's weight by a matrix of rank one: u v'. */
export interface Perturbation {
  /** Name of the weight. */
  readonly name: string;
  readonly u: Float32Array;
  readonly v: Float32Array;
  /** Root mean square over tokens and outputs' sum of u v'x: how much it adds to the module's output. */
  readonly output: number;
}

/** @throws RangeError where the moment is not positive definite even with its ridge: it holds NaN, or is 0. */
export function whiteningOf({ length, values }: Pick<InputMoment, "length" | "values">): Whitening {
  const diagonal = (i: number): number => values[i * length + i] ?? 0;
  const trace = Array.from({ length }, (_, i) => diagonal(i)).reduce((sum, value) => sum + value, 0);
  const ridged = values.slice();
  for (let i = 0; i < length; i++) ridged[i * length + i] = diagonal(i) + (RIDGE * trace) / length;
  return { length, lower: choleskyRows(ridged, length), moment: values };
}

/** Draws u and z of signs, and v = L'^-1 z: then E[(u' G v)^2] = ||G (E[x x'] + ridge)^(-1/2)||_F^2 for any matrix G. */
export function drawPerturbation(
  name: string,
  outputs: number,
  whitening: Whitening,
  generator: RandomGenerator,
): Perturbation {
  const u = Float32Array.from({ length: outputs }, () => signOf(generator));
  const v = solveTransposed(
    whitening.lower,
    Float64Array.from({ length: whitening.length }, () => signOf(generator)),
  );
  return { name, u, v: Float32Array.from(v), output: Math.sqrt(outputs * quadratic(whitening, v)) };
}

/**
 * Writes perturbations as an adapter of rank one whose scale is 1: loaded with scale e it adds e u v' to each weight.
 * @throws FileError when writing fails.
 */
export async function writePerturbations(
  path: string,
  architecture: string,
  perturbations: readonly Perturbation[],
): Promise<void> {
  const metadata: GgufMetadata = new Map([
    ["general.architecture", { type: "string", value: architecture }],
    ["general.type", { type: "string", value: "adapter" }],
    ["adapter.type", { type: "string", value: "lora" }],
    // llama.cpp scales by alpha / rank.
    ["adapter.lora.alpha", { type: "float32", value: 1 }],
  ]);
  const tensors = perturbations.flatMap(({ name, u, v }) => [
    floats(`${name}.lora_a`, [v.length, 1], v),
    floats(`${name}.lora_b`, [1, u.length], u),
  ]);
  await writeGguf(path, metadata, tensors);
}

function floats(name: string, dims: readonly number[], values: Float32Array): GgufTensorToWrite {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dims, type: F32, byteLength: bytes.byteLength, data: () => [bytes] };
}

function signOf(generator: RandomGenerator): number {
  return 2 * uniformInt(generator, 0, 1) - 1;
}

/** v' E[x x'] v. */
function quadratic({ length, moment }: Whitening, v: Float64Array): number {
  let total = 0;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let j = 0; j < length; j++) sum += (moment[i * length + j] ?? 0) * (v[j] ?? 0);
    total += (v[i] ?? 0) * sum;
  }
  return Math.max(0, total);
}
