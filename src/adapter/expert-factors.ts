import { rearrangedFactor, type Factor } from "./factor.js";
import { transposed } from "./transpose.js";

/**
 * B of an adapted parameter of experts lies as [out, rank * experts], the expert counting fastest; llama.cpp and mlx-lm have a matrix
 * [out, rank] for each expert, one behind the other. A is the same on both sides. Source: peft/tuners/lora/layer.py, ParamWrapper.
 */
export function expertsToStack(b: Factor, experts: number): Factor {
  const [outputs = 0, columns = 0] = b.shape;
  const rank = columns / experts;
  if (experts === 1) return { ...b, shape: [1, outputs, rank] };
  return rearrangedFactor(b, [experts, outputs, rank], (bytes, size) =>
    transposed(bytes, outputs * rank, experts, size),
  );
}

/** The way back of {@link expertsToStack}. */
export function expertsFromStack(b: Factor, experts: number, outputs: number, rank: number): Factor {
  return rearrangedFactor(b, [outputs, rank * experts], (bytes, size) =>
    transposed(bytes, experts, outputs * rank, size),
  );
}

/** The transpose of each expert's matrix. @param shape [experts, rows, columns]. */
export function turnedExperts(
  factor: Factor,
  [experts, rows, columns]: readonly [experts: number, rows: number, columns: number],
): Factor {
  return rearrangedFactor(factor, [experts, columns, rows], (bytes, size) => {
    const length = rows * columns * size;
    const parts = Array.from({ length: experts }, (_, expert) =>
      transposed(bytes.subarray(expert * length, (expert + 1) * length), rows, columns, size),
    );
    return Buffer.concat(parts);
  });
}
