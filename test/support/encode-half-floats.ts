/** Narrows float32 to F16, to nearest and ties to even: above 65,519 to infinity, from 2^-25 down to zero. Two bytes for each value. */
export function encodeF16(values: Float32Array): Uint8Array {
  return encode(values, f16Bits);
}

/** Narrows float32 to BF16, to nearest and ties to even. Two bytes for each value. */
export function encodeBF16(values: Float32Array): Uint8Array {
  return encode(values, bf16Bits);
}

function encode(values: Float32Array, narrow: (bits: number) => number): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bytes = new Uint8Array(2 * values.length);
  for (let i = 0; i < bits.length; i++) {
    const half = narrow(bits[i] ?? 0);
    bytes[2 * i] = half;
    bytes[2 * i + 1] = half >>> 8;
  }
  return bytes;
}

/** A float32's exponent field counts from 127, an F16's from 15; fractions have 23 and 10 bits. */
function f16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7c00 | nanFraction(magnitude >>> 13, 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // 2^-14 and above: a normal F16. A carry out of the fraction moves into the exponent, at the top into infinity.
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Below 2^-25 nothing is left; between, a subnormal F16 counts units of 2^-24.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const kept = significand >>> shift;
  const cut = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (cut > half || (cut === half && (kept & 1) === 1) ? 1 : 0));
}

function bf16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) & 0xff80) | nanFraction(bits >>> 16, 0x7f);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** What is left of a NaN's fraction; where nothing is, the quiet bit, for a fraction of zero would mean infinity. */
function nanFraction(fraction: number, mask: number): number {
  const kept = fraction & mask;
  return kept === 0 ? (mask + 1) >>> 1 : kept;
}
