/** Scalar types of GGUF metadata, by their number in the file. Source: ggml/include/gguf.h, enum gguf_type. */
export const ggufScalarTypes = {
  0: "uint8",
  1: "int8",
  2: "uint16",
  3: "int16",
  4: "uint32",
  5: "int32",
  6: "float32",
  7: "bool",
  8: "string",
  10: "uint64",
  11: "int64",
  12: "float64",
} as const;

/** Number of the array type. */
export const GGUF_ARRAY = 9;

export type GgufScalarType = (typeof ggufScalarTypes)[keyof typeof ggufScalarTypes];

/** A scalar as JavaScript holds it: 64-bit integers are bigint, all other numbers are number. */
export type GgufScalar = number | bigint | boolean | string;

/** A metadata value together with its stored type, so that writing it again gives the same bytes. */
export type GgufValue =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | { readonly type: "array"; readonly itemType: GgufScalarType; readonly value: readonly GgufScalar[] };

/** Metadata in the order of the file. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** Bytes that a scalar takes at least; a string takes its 8-byte length. */
export const scalarBytes: Readonly<Record<GgufScalarType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  string: 8,
  uint64: 8,
  int64: 8,
  float64: 8,
};

/** The string under `key`, or undefined when it is absent or of another type. */
export function metadataString(metadata: GgufMetadata, key: string): string | undefined {
  const entry = metadata.get(key);
  return entry?.type === "string" && typeof entry.value === "string" ? entry.value : undefined;
}

/** The number under `key` (64-bit integers included while they are exact), or undefined when absent or of another type. */
export function metadataNumber(metadata: GgufMetadata, key: string): number | undefined {
  const value = metadata.get(key)?.value;
  if (typeof value === "number") return value;
  return typeof value === "bigint" && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
    ? Number(value)
    : undefined;
}

/** The array under `key`, or undefined when it is absent or not an array. */
export function metadataArray(metadata: GgufMetadata, key: string): readonly GgufScalar[] | undefined {
  const entry = metadata.get(key);
  return entry?.type === "array" ? entry.value : undefined;
}
