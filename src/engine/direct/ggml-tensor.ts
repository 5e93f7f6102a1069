import { viewOf, type Pointer } from "./native-array.js";

/** Numbers of ggml.h. */
export const GGML_TYPES = { F32: 0, F16: 1 } as const;

/**
 * Where a ggml_tensor of the known release (ggml.h) has its fields, in bytes. {@link RowAttention} checks them on tensors of its own
 * before it relies on them.
 */
export const TENSOR = {
  /** int32: see {@link GGML_TYPES}. */
  type: 0,
  /** int64 [4]: elements of each dimension. */
  ne: 16,
  /** size_t [4]: bytes from one element of a dimension to the next. */
  nb: 48,
  op: 80,
  /** int32 [16], a float where the operation has one. */
  opParams: 84,
  /** Pointers to what the tensor is computed from. */
  src: 152,
  data: 248,
  /** Characters, at most {@link NAME_BYTES} with the zero at their end. */
  name: 256,
} as const;

const NAME_BYTES = 64;

/** The address of a tensor's field, or of one of its elements of 8 bytes. */
export function field(tensor: Pointer, name: keyof typeof TENSOR, index = 0): Pointer {
  return tensor + BigInt(TENSOR[name] + 8 * index);
}

/** A tensor's name. */
export function nameOf(tensor: Pointer): string {
  const bytes = viewOf(Uint8Array, field(tensor, "name"), NAME_BYTES);
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString("latin1");
}
