/**
 * Half floats as files hold them: little endian, two bytes each. F16 is IEEE 754 binary16; BF16 is the upper half of a float32.
 * Both are widened and narrowed on bit patterns, so that signed zeros, subnormals and the payloads of NaNs are kept.
 */

/** The bits of the float32 that each F16 pattern stands for; 256 KiB, made on first use. */
let f16Table: Uint32Array | undefined;

/**
 * Widens F16 values. `bytes` may start at any byteOffset.
 * @returns one exact float32 for every two bytes.
 * @throws RangeError when the number of bytes is odd.
 */
export function decodeF16(bytes: Uint8Array): Float32Array {
  const bits = new Uint32Array(halfCount(bytes));
  const table = (f16Table ??= makeF16Table());
  for (let i = 0; i < bits.length; i++) bits[i] = table[halfAt(bytes, 2 * i)] ?? 0;
  return new Float32Array(bits.buffer);
}

/**
 * Widens BF16 values. `bytes` may start at any byteOffset.
 * @returns one exact float32 for every two bytes.
 * @throws RangeError when the number of bytes is odd.
 */
export function decodeBF16(bytes: Uint8Array): Float32Array {
  const bits = new Uint32Array(halfCount(bytes));
  for (let i = 0; i < bits.length; i++) bits[i] = halfAt(bytes, 2 * i) << 16;
  return new Float32Array(bits.buffer);
}

/** The value of one F16 at a byte offset, as block formats hold their scales. The offset must lie inside `bytes`. */
export function f16At(bytes: Uint8Array, offset: number): number {
  const half = halfAt(bytes, offset);
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function makeF16Table(): Uint32Array {
  const table = new Uint32Array(1 << 16);
  const value = new Float32Array(1);
  const valueBits = new Uint32Array(value.buffer);
  for (let half = 0; half < table.length; half++) {
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    const sign = (half & 0x8000) << 16;
    value[0] = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    const magnitude = exponent === 0x1f ? 0x7f800000 | (fraction << 13) : (valueBits[0] ?? 0);
    table[half] = sign | magnitude;
  }
  return table;
}

function halfAt(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8);
}

function halfCount(bytes: Uint8Array): number {
  if (bytes.length % 2 === 0) return bytes.length / 2;
  throw new RangeError(`half floats take two bytes each, ${bytes.length} bytes given`);
}
