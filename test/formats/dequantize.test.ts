import { describe, expect, it } from "vitest";
import { canDequantize, dequantize } from "../../src/formats/dequantize.js";
import { ggmlType, ggmlTypeId, type GgmlType } from "../../src/formats/ggml-types.js";
import goldens from "./goldens/quants.json" with { type: "json" };

function typeNamed(name: string): GgmlType {
  return ggmlType(ggmlTypeId(name)!)!;
}

describe("values of quantised bytes", () => {
  it.each(goldens.quants)("of type $type equal gguf-py's bit for bit", ({ type, bytes, values }) => {
    const decoded = dequantize(typeNamed(type), Buffer.from(bytes, "hex"));
    expect(Buffer.from(decoded.buffer).toString("hex")).toBe(values);
  });

  it.each(goldens.quants)("of type $type do not depend on where the bytes lie", ({ type, bytes }) => {
    const aligned = Uint8Array.from(Buffer.from(bytes, "hex"));
    const shifted = new Uint8Array(aligned.length + 3);
    shifted.set(aligned, 3);
    expect(dequantize(typeNamed(type), shifted.subarray(3))).toEqual(dequantize(typeNamed(type), aligned));
  });

  it("are a copy: changing them leaves the bytes alone", () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2).buffer);
    dequantize(typeNamed("F32"), bytes)[0] = 9;
    expect([...new Float32Array(bytes.buffer)]).toEqual([1, 2]);
  });
});

describe("which types", () => {
  it("are known is what the goldens cover", () => {
    const known = Array.from({ length: 64 }, (_, id) => ggmlType(id)).filter(
      (type): type is GgmlType => type !== undefined && canDequantize(type),
    );
    expect(known.map(({ name }) => name).sort()).toEqual(goldens.quants.map(({ type }) => type).sort());
  });

  it("others are refused, and so are cut blocks", () => {
    expect(() => dequantize(typeNamed("Q2_K"), new Uint8Array(84))).toThrow("values of type Q2_K cannot be read");
    expect(() => dequantize(typeNamed("Q8_0"), new Uint8Array(33))).toThrow("no whole number of Q8_0 blocks of 34");
    expect(canDequantize({ name: "toString", blockSize: 1, blockBytes: 1 })).toBe(false);
  });

  it("an empty tensor has no values", () => {
    expect(dequantize(typeNamed("Q4_K"), new Uint8Array(0))).toHaveLength(0);
  });
});
