import { describe, expect, it } from "vitest";
import { composeCacheState, parseCacheState, type CacheLayer } from "../../../src/engine/direct/cache-state.js";

const LAYER_ROW = 4;

/** A state of one stream as llama.cpp writes it: `cells` cells, one byte pattern a layer. */
function stateOf(cells: number, layers: number, options: { streams?: number; transposed?: boolean } = {}): Buffer {
  const { streams = 1, transposed = false } = options;
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const rowHead = Buffer.alloc(12);
  rowHead.writeInt32LE(1, 0);
  rowHead.writeBigUInt64LE(BigInt(LAYER_ROW), 4);
  const rows = (fill: number): Buffer => Buffer.concat([rowHead, Buffer.alloc(cells * LAYER_ROW, fill)]);
  return Buffer.concat([
    uint32(0xaf143cd9),
    uint32(0),
    uint32(streams),
    ...Array.from({ length: streams - 1 }, () => uint32(0)),
    uint32(cells),
    ...Array.from({ length: cells }, (_, cell) => Buffer.concat([uint32(cell), uint32(1), uint32(0)])),
    ...(cells > 0 ? [uint32(transposed ? 1 : 0), uint32(layers)] : []),
    ...(cells > 0 ? Array.from({ length: layers }, (_, layer) => rows(10 + layer)) : []),
    ...(cells > 0 ? Array.from({ length: layers }, (_, layer) => rows(100 + layer)) : []),
  ]);
}

const whole = (state: Buffer, cells: number, streams: number): Buffer => {
  const parsed = parseCacheState(state);
  const layers = parsed.keys.map((key, i) => ({ key, value: parsed.values[i] as CacheLayer }));
  return Buffer.concat(composeCacheState(parsed, layers, cells, streams));
};

describe("the state of a sequence", () => {
  it("is parsed and put together to the same bytes", () => {
    expect(whole(stateOf(5, 3), 5, 1)).toEqual(stateOf(5, 3));
    expect(parseCacheState(stateOf(5, 3))).toMatchObject({ cells: 5 });
    expect(parseCacheState(stateOf(0, 3)).cells).toBe(0);
  });

  it("is cut to its first cells, in every layer", () => {
    expect(whole(stateOf(5, 3), 2, 1)).toEqual(stateOf(2, 3));
  });

  it("is found in the one stream that holds it, and written into the first of several", () => {
    expect(parseCacheState(stateOf(4, 2, { streams: 3 })).cells).toBe(4);
    const several = whole(stateOf(4, 2), 4, 3);
    expect(parseCacheState(several).keys.map(({ rows }) => rows[0])).toEqual([10, 11]);
    expect(several.length).toBe(stateOf(4, 2).length + 8);
  });

  it("is put together from layers of two", () => {
    const [a, b] = [parseCacheState(stateOf(4, 2)), parseCacheState(stateOf(6, 1))];
    const layers = [
      { key: a.keys[0] as CacheLayer, value: a.values[0] as CacheLayer },
      { key: b.keys[0] as CacheLayer, value: b.values[0] as CacheLayer },
    ];
    const both = parseCacheState(Buffer.concat(composeCacheState(a, layers, 3, 1)));
    expect([both.cells, both.keys.length]).toEqual([3, 2]);
    expect(both.keys.map(({ rows }) => [rows.length, rows[0]])).toEqual([
      [12, 10],
      [12, 10],
    ]);
  });

  it("is refused with transposed values, with cells out of order, cut short or with bytes behind it", () => {
    expect(() => parseCacheState(stateOf(2, 1, { transposed: true }))).toThrow("transposed");
    const swapped = stateOf(2, 1);
    swapped.writeUInt32LE(7, 16);
    expect(() => parseCacheState(swapped)).toThrow("order of positions");
    expect(() => parseCacheState(stateOf(2, 1).subarray(0, -1))).toThrow();
    expect(() => parseCacheState(Buffer.concat([stateOf(2, 1), Buffer.alloc(3)]))).toThrow("3 bytes too many");
  });
});
