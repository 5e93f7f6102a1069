/**
 * Whether an F32, F16 or BF16 tensor holds NaN or infinity: an exponent of all ones. Other types are taken for finite; their scales
 * are looked at where they are turned into numbers.
 */
export function hasNonFinite(type: string, bytes: Uint8Array): boolean {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  if (type === "F32")
    return someMasked(new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2), 0x7f800000);
  const mask = type === "F16" ? 0x7c00 : type === "BF16" ? 0x7f80 : undefined;
  return (
    mask !== undefined && someMasked(new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1), mask)
  );
}

function someMasked(words: Uint32Array | Uint16Array, mask: number): boolean {
  // Counted by hand: an iterator makes this several times slower, and it runs over every byte of an adapter.
  for (let i = 0; i < words.length; i++) if (((words[i] ?? 0) & mask) === mask) return true;
  return false;
}
