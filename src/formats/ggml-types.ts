/** A tensor type of ggml: `blockSize` elements are stored in `blockBytes` bytes. Source: ggml/include/ggml.h, ggml/src/ggml.c (type_traits). */
export interface GgmlType {
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
}

export const F32: GgmlType = { name: "F32", blockSize: 1, blockBytes: 4 };

const table: Readonly<Record<number, readonly [name: string, blockSize: number, blockBytes: number]>> = {
  0: [F32.name, F32.blockSize, F32.blockBytes],
  1: ["F16", 1, 2],
  2: ["Q4_0", 32, 18],
  3: ["Q4_1", 32, 20],
  6: ["Q5_0", 32, 22],
  7: ["Q5_1", 32, 24],
  8: ["Q8_0", 32, 34],
  9: ["Q8_1", 32, 36],
  10: ["Q2_K", 256, 84],
  11: ["Q3_K", 256, 110],
  12: ["Q4_K", 256, 144],
  13: ["Q5_K", 256, 176],
  14: ["Q6_K", 256, 210],
  15: ["Q8_K", 256, 292],
  16: ["IQ2_XXS", 256, 66],
  17: ["IQ2_XS", 256, 74],
  18: ["IQ3_XXS", 256, 98],
  19: ["IQ1_S", 256, 50],
  20: ["IQ4_NL", 32, 18],
  21: ["IQ3_S", 256, 110],
  22: ["IQ2_S", 256, 82],
  23: ["IQ4_XS", 256, 136],
  24: ["I8", 1, 1],
  25: ["I16", 1, 2],
  26: ["I32", 1, 4],
  27: ["I64", 1, 8],
  28: ["F64", 1, 8],
  29: ["IQ1_M", 256, 56],
  30: ["BF16", 1, 2],
  34: ["TQ1_0", 256, 54],
  35: ["TQ2_0", 256, 66],
  39: ["MXFP4", 32, 17],
  40: ["NVFP4", 64, 36],
  41: ["Q1_0", 128, 18],
  42: ["Q2_0", 64, 18],
};

/** The ggml type with this number, or undefined where this release does not know it. */
export function ggmlType(id: number): GgmlType | undefined {
  const row = table[id];
  return row && { name: row[0], blockSize: row[1], blockBytes: row[2] };
}

/** Number of the ggml type with this name. */
export function ggmlTypeId(name: string): number | undefined {
  for (const [id, row] of Object.entries(table)) if (row[0] === name) return Number(id);
  return undefined;
}

/** The ggml type with this name, or undefined where this release does not know it. */
export function ggmlTypeNamed(name: string): GgmlType | undefined {
  const id = ggmlTypeId(name);
  return id === undefined ? undefined : ggmlType(id);
}
