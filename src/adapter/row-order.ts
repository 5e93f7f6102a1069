import type { ModelMemory } from "./model-memory.js";

/** How llama.cpp's converter reorders the rows of a weight, so that B of an adapter must follow. */
export type RowOrder =
  /** q and k of the llama family, from the "half" to the interleaved rotary layout. Source: conversion/llama.py, LlamaModel.permute. */
  | "rotary"
  /** A fused q, k, v whose rows come group by group: those of each group's heads, its k, its v. Source: conversion/bloom.py, gptneox.py, falcon.py. */
  | "qkv-by-group"
  /**
   * The value heads of linear attention, which lie by their key head and go to where a repeated key head meets them; in a fused q, k, v those of v
   * alone. Source: conversion/qwen.py, _LinearAttentionVReorderBase.
   */
  | "value-heads"
  | "qkv-by-value-heads";

/** Which rows of a Hugging Face module are which of several GGUF tensors. */
export type RowSplit =
  /** One tensor's behind the other's. */
  | "consecutive"
  /** One each in turn, as gpt-oss has gate and up. Source: conversion/gpt_oss.py. */
  | "alternate"
  /** Group by group: those of each group's query heads, its k, its v. Source: conversion/internlm.py. */
  | "by-group"
  /** Key head by key head: its q, its k, the v of its value heads, their z; q, k and v are one tensor, z another. Source: conversion/qwen.py, Qwen3NextModel. */
  | "by-key-head";

/** The heads of a model's attention. */
export type Heads = Pick<ModelMemory, "headCount" | "keyValueHeadCount" | "stateKeyHeadCount" | "stateValueHeadCount">;

/**
 * Which row of the Hugging Face matrix stands at each place of the GGUF one.
 * @param module its GGUF name. @param rows of the matrix.
 * @throws RangeError where the rows do not divide.
 */
export function rowOrder(order: RowOrder, module: string, rows: number, heads: Heads): Uint32Array {
  const { headCount, keyValueHeadCount, stateKeyHeadCount, stateValueHeadCount } = heads;
  switch (order) {
    case "rotary":
      return interleaved(rows, module === "attn_k" ? keyValueHeadCount : headCount);
    case "qkv-by-group":
      return regrouped(rows, headCount, keyValueHeadCount);
    case "value-heads":
      return tiled(rows, stateKeyHeadCount, stateValueHeadCount);
    case "qkv-by-value-heads": {
      // Keys and values have heads of one size in every model of this kind.
      const size = rowsOf(rows, 2 * stateKeyHeadCount + stateValueHeadCount);
      const before = 2 * stateKeyHeadCount * size;
      const values = tiled(rows - before, stateKeyHeadCount, stateValueHeadCount);
      return Uint32Array.from({ length: rows }, (_, row) =>
        row < before ? row : before + (values[row - before] ?? 0),
      );
    }
  }
}

/**
 * The rows of a Hugging Face module that are each of several GGUF tensors, in the order of the tensors.
 * @param sizes rows of each tensor.
 * @throws RangeError where the rows do not divide.
 */
export function splitRows(split: RowSplit, sizes: readonly number[], heads: Heads): Uint32Array[] {
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  switch (split) {
    case "consecutive": {
      let start = 0;
      return sizes.map((size) => {
        const first = start;
        start += size;
        return Uint32Array.from({ length: size }, (_, row) => first + row);
      });
    }
    case "alternate":
      return sizes.map((size, part) => Uint32Array.from({ length: size }, (_, row) => row * sizes.length + part));
    case "by-group":
      return cut(regrouped(rows, heads.headCount, heads.keyValueHeadCount), sizes);
    case "by-key-head": {
      // A group's q and k are one head each, its v and z one for each value head.
      const { stateKeyHeadCount: groups, stateValueHeadCount: valueHeads } = heads;
      const shared = rowsOf(valueHeads, groups);
      const size = rowsOf(rows, 2 * groups + 2 * valueHeads);
      return cut(gathered(groups, [1, 1, shared, shared], size), sizes);
    }
  }
}

function cut(rows: Uint32Array, sizes: readonly number[]): Uint32Array[] {
  let start = 0;
  return sizes.map((size) => rows.subarray(start, (start += size)));
}

/** Within each head of 2h rows, row i of the first half goes to 2i and row i of the second half to 2i+1. */
function interleaved(rows: number, heads: number): Uint32Array {
  const size = rowsOf(rows, 2 * heads) * 2;
  return Uint32Array.from({ length: rows }, (_, row) => {
    const place = row % size;
    return row - place + (place % 2) * (size / 2) + Math.floor(place / 2);
  });
}

function regrouped(rows: number, headCount: number, groups: number): Uint32Array {
  return gathered(groups, [rowsOf(headCount, groups), 1, 1], rowsOf(rows, headCount + 2 * groups));
}

/** Rows that lie group by group, each group's parts one behind the other, gathered part by part. @param heads of each part in a group. */
function gathered(groups: number, heads: readonly number[], size: number): Uint32Array {
  const inGroup = heads.reduce((sum, count) => sum + count, 0);
  const found: number[] = [];
  let first = 0;
  for (const count of heads) {
    for (let group = 0; group < groups; group++) {
      const start = (group * inGroup + first) * size;
      for (let row = 0; row < count * size; row++) found.push(start + row);
    }
    first += count;
  }
  return Uint32Array.from(found);
}

/** Head v of key head g goes from g * n + v to v * groups + g. */
function tiled(rows: number, groups: number, heads: number): Uint32Array {
  const size = rowsOf(rows, heads);
  const shared = rowsOf(heads, groups);
  return Uint32Array.from({ length: rows }, (_, row) => {
    const head = Math.floor(row / size);
    return ((head % groups) * shared + Math.floor(head / groups)) * size + (row % size);
  });
}

function rowsOf(rows: number, parts: number): number {
  if (parts === 0 || rows % parts !== 0) throw new RangeError(`${rows} rows do not divide into ${parts} parts`);
  return rows / parts;
}

/** Rows in another order: the one at `order[i]` comes to place i. @param bytes a row-major matrix of as many rows. */
export function reorderRows(bytes: Uint8Array, order: Uint32Array): Uint8Array {
  return selectRows(bytes, order, bytes.byteLength / order.length);
}

/** Rows `from[i]` of a row-major matrix, in that order. */
export function selectRows(bytes: Uint8Array, from: Uint32Array, rowBytes: number): Uint8Array {
  const result = new Uint8Array(from.length * rowBytes);
  from.forEach((row, place) => {
    result.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), place * rowBytes);
  });
  return result;
}

/** The order that undoes another. */
export function inverseOrder(order: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(order.length);
  order.forEach((from, place) => (inverse[from] = place));
  return inverse;
}

/** The same for columns. @param rows of the matrix; `order` has a place for each column. */
export function reorderColumns(bytes: Uint8Array, rows: number, order: Uint32Array): Uint8Array {
  const size = bytes.byteLength / rows / order.length;
  const result = new Uint8Array(bytes.byteLength);
  for (let row = 0; row < rows; row++) {
    const start = row * order.length;
    order.forEach((from, place) => {
      result.set(bytes.subarray((start + from) * size, (start + from + 1) * size), (start + place) * size);
    });
  }
  return result;
}
