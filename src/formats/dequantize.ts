import type { GgmlType } from "./ggml-types.js";
import { decodeBF16, decodeF16, f16At } from "./half-floats.js";

/** Decodes the block that starts at byte `at` into `out` from `to` on. */
type BlockDecoder = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/**
 * Types that come in blocks. Layouts and arithmetic: dequantize_row_* in ggml/src/ggml-quants.c of llama.cpp.
 * All products and sums are exact in doubles, so that storing them rounds once, as llama.cpp's float32 arithmetic does.
 */
const blockDecoders: ReadonlyMap<string, BlockDecoder> = new Map([
  ["Q4_0", decodeQ4_0],
  ["Q4_1", decodeQ4_1],
  ["Q5_0", decodeQ5_0],
  ["Q5_1", decodeQ5_1],
  ["Q8_0", decodeQ8_0],
  ["Q4_K", decodeQ4K],
  ["Q5_K", decodeQ5K],
  ["Q6_K", decodeQ6K],
  ["IQ4_NL", decodeIQ4NL],
]);

/** Types of one element a block. */
const elementDecoders: ReadonlyMap<string, (bytes: Uint8Array) => Float32Array> = new Map([
  ["F32", (bytes: Uint8Array) => new Float32Array(new Uint8Array(bytes).buffer)],
  ["F16", decodeF16],
  ["BF16", decodeBF16],
]);

/** The types that {@link canDequantize} knows, in words. */
export const READABLE_TYPES = "F32, F16, BF16, Q4_0 to Q8_0, Q4_K to Q6_K or IQ4_NL";

/** Whether {@link dequantize} knows this type. */
export function canDequantize(type: GgmlType): boolean {
  return blockDecoders.has(type.name) || elementDecoders.has(type.name);
}

/**
 * The values of a tensor's bytes, whole blocks in the file's order: `bytes.length / type.blockBytes * type.blockSize` float32,
 * equal bit for bit to what llama.cpp computes.
 * @throws RangeError when {@link canDequantize} denies the type, or the bytes are no whole number of blocks.
 */
export function dequantize(type: GgmlType, bytes: Uint8Array): Float32Array {
  if (bytes.length % type.blockBytes !== 0) {
    throw new RangeError(
      `${bytes.length} bytes are no whole number of ${type.name} blocks of ${type.blockBytes} bytes`,
    );
  }
  const whole = elementDecoders.get(type.name);
  if (whole) return whole(bytes);
  const decode = blockDecoders.get(type.name);
  if (!decode) throw new RangeError(`values of type ${type.name} cannot be read`);
  const blocks = bytes.length / type.blockBytes;
  const out = new Float32Array(blocks * type.blockSize);
  for (let i = 0; i < blocks; i++) decode(bytes, i * type.blockBytes, out, i * type.blockSize);
  return out;
}

/** Scale F16, 16 bytes of nibbles: low nibbles are elements 0 to 15, high ones 16 to 31. */
function decodeQ4_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  for (let j = 0; j < 16; j++) {
    const q = byte(bytes, at + 2 + j);
    out[to + j] = d * ((q & 15) - 8);
    out[to + 16 + j] = d * ((q >> 4) - 8);
  }
}

/** Scale F16, minimum F16, 16 bytes of nibbles. */
function decodeQ4_1(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  const m = f16At(bytes, at + 2);
  for (let j = 0; j < 16; j++) {
    const q = byte(bytes, at + 4 + j);
    out[to + j] = d * (q & 15) + m;
    out[to + 16 + j] = d * (q >> 4) + m;
  }
}

/** Scale F16, 32 fifth bits, 16 bytes of nibbles. */
function decodeQ5_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  const high = uint32(bytes, at + 2);
  for (let j = 0; j < 16; j++) {
    const q = byte(bytes, at + 6 + j);
    out[to + j] = d * (((q & 15) | (((high >>> j) & 1) << 4)) - 16);
    out[to + 16 + j] = d * (((q >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
  }
}

/** Scale F16, minimum F16, 32 fifth bits, 16 bytes of nibbles. */
function decodeQ5_1(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  const m = f16At(bytes, at + 2);
  const high = uint32(bytes, at + 4);
  for (let j = 0; j < 16; j++) {
    const q = byte(bytes, at + 8 + j);
    out[to + j] = d * ((q & 15) | (((high >>> j) & 1) << 4)) + m;
    out[to + 16 + j] = d * ((q >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m;
  }
}

/** Scale F16, 32 signed bytes. */
function decodeQ8_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  for (let j = 0; j < 32; j++) out[to + j] = d * int8(bytes, at + 2 + j);
}

/** Scale and minimum F16, 12 bytes of 6-bit scales and minima for 8 groups of 32, then nibbles: two groups share 32 bytes. */
function decodeQ4K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  for (let group = 0; group < 8; group++) {
    const { scale, minimum } = groupScale(bytes, at, group);
    const quants = at + 16 + 32 * (group >> 1);
    const shift = 4 * (group & 1);
    for (let l = 0; l < 32; l++) {
      out[to + 32 * group + l] = scale * ((byte(bytes, quants + l) >> shift) & 15) - minimum;
    }
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the nibbles: bit `group` of byte l belongs to element l of the group. */
function decodeQ5K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  for (let group = 0; group < 8; group++) {
    const { scale, minimum } = groupScale(bytes, at, group);
    const quants = at + 48 + 32 * (group >> 1);
    const shift = 4 * (group & 1);
    for (let l = 0; l < 32; l++) {
      const low = (byte(bytes, quants + l) >> shift) & 15;
      const high = (byte(bytes, at + 16 + l) >> group) & 1;
      out[to + 32 * group + l] = scale * (low | (high << 4)) - minimum;
    }
  }
}

/** 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed group scales (16 elements each), scale F16. */
function decodeQ6K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at + 208);
  for (let i = 0; i < 256; i++) {
    const half = i >> 7;
    const quarter = (i >> 5) & 3;
    const l = i & 31;
    const low = (byte(bytes, at + 64 * half + 32 * (quarter & 1) + l) >> (4 * (quarter >> 1))) & 15;
    const high = (byte(bytes, at + 128 + 32 * half + l) >> (2 * quarter)) & 3;
    out[to + i] = d * int8(bytes, at + 192 + (i >> 4)) * ((low | (high << 4)) - 32);
  }
}

/** The 16 values of IQ4_NL. Source: kvalues_iq4nl in ggml/src/ggml-common.h. */
const iq4nlValues = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** Scale F16, 16 bytes of nibbles that index {@link iq4nlValues}. */
function decodeIQ4NL(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = f16At(bytes, at);
  for (let j = 0; j < 16; j++) {
    const q = byte(bytes, at + 2 + j);
    out[to + j] = d * (iq4nlValues[q & 15] ?? 0);
    out[to + 16 + j] = d * (iq4nlValues[q >> 4] ?? 0);
  }
}

/** Scale and minimum of a group of Q4_K and Q5_K. Source: get_scale_min_k4 in ggml/src/ggml-quants.c. */
function groupScale(bytes: Uint8Array, at: number, group: number): { scale: number; minimum: number } {
  const scales = at + 4 + group;
  const [sc, m] =
    group < 4
      ? [byte(bytes, scales) & 63, byte(bytes, scales + 4) & 63]
      : [
          (byte(bytes, scales + 4) & 15) | ((byte(bytes, scales - 4) >> 6) << 4),
          (byte(bytes, scales + 4) >> 4) | ((byte(bytes, scales) >> 6) << 4),
        ];
  return { scale: f16At(bytes, at) * sc, minimum: f16At(bytes, at + 2) * m };
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function int8(bytes: Uint8Array, at: number): number {
  return (byte(bytes, at) << 24) >> 24;
}

function uint32(bytes: Uint8Array, at: number): number {
  return byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
}
