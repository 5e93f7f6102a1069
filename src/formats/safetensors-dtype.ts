/** Bits of one element of each dtype. Source: enum Dtype in safetensors/src/tensor.rs, release 0.8. */
const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  I64: 64,
  U64: 64,
  F64: 64,
} as const;

/** A dtype of safetensors, as the header names it. */
export type SafetensorsDtype = keyof typeof dtypeBits;

/** Whether this is the name of a dtype. */
export function isSafetensorsDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(dtypeBits, name);
}

/**
 * Bytes of a tensor; an empty shape is a scalar. Undefined where a size is negative, where elements or bits exceed 2^53 - 1, and
 * where the bits fill no whole number of bytes.
 */
export function safetensorsByteLength(dtype: SafetensorsDtype, shape: readonly number[]): number | undefined {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (size < 0 || !Number.isSafeInteger(elements)) return undefined;
  }
  const bits = elements * dtypeBits[dtype];
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined;
}
