/** Numbers of ggml.h. */
export const GGML_TYPES = { F32: 0, F16: 1 } as const;

/**
 * Where a ggml_tensor of the known release (ggml.h) has its fields, in bytes. {@link RowAttention} checks them on tensors of its own
 * before it relies on them.
 */
export const TENSOR = {
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
  name: 256,
} as const;

/** The address of a tensor's field, or of one of its elements of 8 bytes. */
export function field(tensor: bigint, name: keyof typeof TENSOR, index = 0): bigint {
  return tensor + BigInt(TENSOR[name] + 8 * index);
}
