/**
 * Keys and values of one sequence as llama_state_seq_get_data writes them (llama_kv_cache::state_write of llama.cpp v0.5.0), cut into
 * the parts of its layers, so that a sequence can be put together from layers of several contexts.
 *
 * Layout: magic number and sequence id (uint32 each); number of streams (uint32); for each stream its number of cells (uint32) and, unless that is 0, position and sequence ids of
 * each cell, then whether V is transposed and the number of layers (uint32 each), then for each layer K and after them for each layer
 * V: type (int32), bytes of a row (uint64), rows of all cells.
 */
export interface CacheState {
  readonly cells: number;
  /** Magic number and sequence id. */
  readonly magic: Buffer;
  /** Position, number of ids (1) and id of each cell, 12 bytes each. */
  readonly cellBytes: Buffer;
  readonly keys: readonly CacheLayer[];
  readonly values: readonly CacheLayer[];
}

/** Keys or values of a layer. */
export interface CacheLayer {
  /** Type and bytes of a row. */
  readonly head: Buffer;
  /** The rows of the cells, one behind the other. */
  readonly rows: Buffer;
  readonly rowBytes: number;
}

const BYTES_OF_MAGIC = 8;
const BYTES_OF_CELL = 12;
const BYTES_OF_LAYER_HEAD = 12;

/** @throws Error when the state is not laid out as described, holds several streams of cells or transposed values. */
export function parseCacheState(state: Buffer): CacheState {
  let at = BYTES_OF_MAGIC;
  const magic = state.subarray(0, at);
  const uint32 = (): number => {
    at += 4;
    return state.readUInt32LE(at - 4);
  };
  const streams = uint32();
  let own: CacheState | undefined;
  for (let stream = 0; stream < streams; stream++) {
    const cells = uint32();
    if (cells === 0) continue;
    if (own) throw new Error("a sequence's state lies in several streams");
    const cellBytes = state.subarray(at, at + cells * BYTES_OF_CELL);
    for (let cell = 0; cell < cells; cell++) {
      if (state.readInt32LE(at + cell * BYTES_OF_CELL) !== cell)
        throw new Error("the cells are not in the order of positions");
      if (state.readUInt32LE(at + cell * BYTES_OF_CELL + 4) !== 1) throw new Error("a cell has several sequences");
    }
    at += cells * BYTES_OF_CELL;
    if (uint32() !== 0) throw new Error("the values of the cache are transposed");
    const layers = uint32();
    const readLayer = (): CacheLayer => {
      const head = state.subarray(at, at + BYTES_OF_LAYER_HEAD);
      const rowBytes = Number(head.readBigUInt64LE(4));
      at += BYTES_OF_LAYER_HEAD + rowBytes * cells;
      if (at > state.length) throw new Error("a sequence's state ends early");
      return { head, rowBytes, rows: state.subarray(at - rowBytes * cells, at) };
    };
    const keys = Array.from({ length: layers }, readLayer);
    const values = Array.from({ length: layers }, readLayer);
    own = { magic, cells, cellBytes, keys, values };
  }
  if (at !== state.length) throw new Error(`${state.length - at} bytes too many in a sequence's state`);
  return own ?? { magic, cells: 0, cellBytes: Buffer.alloc(0), keys: [], values: [] };
}

/**
 * A sequence of the first `cells` cells of these layers, for a context of `streams` sequences; llama.cpp gives it the id that it is
 * asked to restore.
 * @param of whose cells these are.
 * @param layers from the lowest; each has the same cells in the same order.
 * @returns the parts of the state, one behind the other.
 */
export function composeCacheState(
  of: CacheState,
  layers: readonly { readonly key: CacheLayer; readonly value: CacheLayer }[],
  cells: number,
  streams: number,
): Buffer[] {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(streams, 0);
  head.writeUInt32LE(cells, 4);
  const data = Buffer.alloc(8);
  data.writeUInt32LE(layers.length, 4);
  const rows = ({ head: layerHead, rows: all, rowBytes }: CacheLayer): Buffer[] => {
    return [layerHead, all.subarray(0, cells * rowBytes)];
  };
  return [
    of.magic,
    head,
    of.cellBytes.subarray(0, cells * BYTES_OF_CELL),
    data,
    ...layers.flatMap(({ key }) => rows(key)),
    ...layers.flatMap(({ value }) => rows(value)),
    Buffer.alloc(4 * (streams - 1)),
  ];
}
