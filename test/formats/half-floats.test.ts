import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBF16, decodeF16, f16At } from "../../src/formats/half-floats.js";
import { encodeBF16, encodeF16 } from "../support/encode-half-floats.js";
import goldens from "./goldens/quants.json" with { type: "json" };

/** Every pattern of 16 bits, as a file would hold them. */
const everyHalf = new Uint8Array(Uint16Array.from({ length: 1 << 16 }, (_, i) => i).buffer);

function floats(hex: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(hex, "hex")).buffer);
}

/** IEEE 754 binary16 by its definition. */
function binary16(half: number): number {
  const sign = half >> 15 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * (fraction / 1024) * 2 ** -14 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe("all 65,536 patterns", () => {
  it("of F16 have the value of the standard", () => {
    const decoded = decodeF16(everyHalf);
    const wrong = [...decoded.keys()].filter(
      (half) => !Object.is(decoded[half], binary16(half)) || !Object.is(f16At(everyHalf, 2 * half), binary16(half)),
    );
    expect(decoded).toHaveLength(65536);
    expect(wrong).toEqual([]);
  });

  it("of F16 come back bit for bit, NaN payloads too", () => {
    expect(Buffer.from(encodeF16(decodeF16(everyHalf))).equals(everyHalf)).toBe(true);
  });

  it("of BF16 come back bit for bit, and are the upper halves of float32", () => {
    const decoded = decodeBF16(everyHalf);
    const bits = new Uint32Array(decoded.buffer);
    expect([...bits.keys()].filter((half) => bits[half] !== half * 65536)).toEqual([]);
    expect(Buffer.from(encodeBF16(decoded)).equals(everyHalf)).toBe(true);
  });
});

describe("narrowing", () => {
  it("gives what numpy and gguf-py give, ties and subnormals included", () => {
    const values = floats(goldens.half_floats.values);
    expect(Buffer.from(encodeF16(values)).toString("hex")).toBe(goldens.half_floats.f16);
    expect(Buffer.from(encodeBF16(values)).toString("hex")).toBe(goldens.half_floats.bf16);
  });

  it("ties go to the even neighbour at every F16 boundary", () => {
    const decoded = decodeF16(everyHalf);
    const finite = Array.from({ length: 0x7bff }, (_, half) => half);
    const middles = Float32Array.from(finite, (half) => (decoded[half]! + decoded[half + 1]!) / 2);
    const encoded = new Uint16Array(encodeF16(middles).buffer);
    expect(finite.filter((half) => encoded[half] !== half + (half & 1))).toEqual([]);
  });

  it("a NaN never becomes an infinity", () => {
    const low = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001).buffer);
    expect([...decodeF16(encodeF16(low))]).toEqual([NaN, NaN]);
    expect([...decodeBF16(encodeBF16(low))]).toEqual([NaN, NaN]);
  });

  it("is never further away than half a step", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65504, max: 65504 }), (value) => {
        const near = decodeF16(encodeF16(Float32Array.of(value)))[0]!;
        expect(Math.abs(near - value)).toBeLessThanOrEqual(Math.max(2 ** -25, Math.abs(value) * 2 ** -11));
      }),
      { numRuns: 2000, seed: 5 },
    );
  });
});

describe("bytes at hand", () => {
  it("may start anywhere in their buffer", () => {
    const shifted = new Uint8Array(7);
    shifted.set([0x00, 0x3c, 0x00, 0xc0], 3);
    expect([...decodeF16(shifted.subarray(3))]).toEqual([1, -2]);
    shifted.set([0x80, 0x3f, 0x00, 0xc0], 1);
    expect([...decodeBF16(shifted.subarray(1, 5))]).toEqual([1, -2]);
    expect([...encodeF16(Float32Array.of(9, 1, -2).subarray(1))]).toEqual([0x00, 0x3c, 0x00, 0xc0]);
  });

  it("must be pairs", () => {
    expect(() => decodeF16(new Uint8Array(3))).toThrow("3 bytes given");
    expect(() => decodeBF16(new Uint8Array(1))).toThrow(RangeError);
    expect(decodeF16(new Uint8Array(0))).toHaveLength(0);
  });
});
