import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import koffi from "koffi";
import { EngineError } from "../errors.js";
import { LIBRARY_NAMES } from "./direct/loaded-libraries.js";
import { canDequantize, dequantize } from "../formats/dequantize.js";
import { ggmlTypeId, type GgmlType } from "../formats/ggml-types.js";

/** Turns numbers into ggml's types and back, by ggml's own functions. */
export interface Quantizer {
  /** Whether a type can only be made with an importance matrix, which says which weights count. */
  readonly needsImportanceMatrix: (type: GgmlType) => boolean;
  /** Rows of numbers in a type. @param columns of a row, whole blocks. */
  readonly quantize: (type: GgmlType, values: Float32Array, columns: number) => Uint8Array;
  /** The numbers of whole blocks. */
  readonly dequantize: (type: GgmlType, bytes: Uint8Array) => Float32Array;
}

/** Packages of node-llama-cpp with a ggml for each platform. All of them quantise alike. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "linux-x64": ["linux-x64", "linux-x64-vulkan", "linux-x64-cuda"],
  "linux-arm64": ["linux-arm64"],
  "linux-arm": ["linux-armv7l"],
  "darwin-arm64": ["mac-arm64-metal"],
  "darwin-x64": ["mac-x64"],
  "win32-x64": ["win-x64", "win-x64-vulkan", "win-x64-cuda"],
  "win32-arm64": ["win-arm64"],
};

/**
 * Opens ggml's library of the engine, without the engine.
 * @throws EngineError where node-llama-cpp has no prebuilt library for this platform.
 */
export function openQuantizer(): Quantizer {
  return (opened ??= open());
}

/** Loaded once: ggml does not bear being loaded again once it was unloaded. */
let opened: Quantizer | undefined;

function open(): Quantizer {
  const library = koffi.load(libraryPath());
  const convert = library.func(
    "size_t ggml_quantize_chunk(int type, const float *from, void *to, int64_t start, int64_t rows, int64_t columns, const float *imatrix)",
  ) as (
    type: number,
    from: Float32Array,
    to: Uint8Array,
    start: number,
    rows: number,
    columns: number,
    _: null,
  ) => unknown;
  const requires = library.func("bool ggml_quantize_requires_imatrix(int type)") as (type: number) => boolean;
  return {
    needsImportanceMatrix: (type) => requires(idOf(type)),
    quantize: (type, values, columns) => {
      const bytes = new Uint8Array((values.length / type.blockSize) * type.blockBytes);
      const written = Number(convert(idOf(type), values, bytes, 0, values.length / columns, columns, null));
      if (written !== bytes.byteLength)
        throw new EngineError({ what: `ggml wrote ${written} bytes of ${type.name}, ${bytes.byteLength} expected` });
      return bytes;
    },
    dequantize: (type, bytes) => {
      if (canDequantize(type)) return dequantize(type, bytes);
      const values = new Float32Array((bytes.byteLength / type.blockBytes) * type.blockSize);
      const name = `dequantize_row_${type.name.toLowerCase().replace(/k$/, "K")}`;
      const read = library.func(`void ${name}(const void *from, float *to, int64_t count)`) as (
        from: Uint8Array,
        to: Float32Array,
        count: number,
      ) => void;
      read(bytes, values, values.length);
      return values;
    },
  };
}

function idOf({ name }: GgmlType): number {
  const id = ggmlTypeId(name);
  if (id === undefined) throw new RangeError(`no ggml type ${name}`);
  return id;
}

function libraryPath(): string {
  const platform = `${process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve("node-llama-cpp"));
  for (const name of PACKAGES[platform] ?? []) {
    const found = libraryIn(require, `@node-llama-cpp/${name}`);
    if (found !== undefined) return found;
  }
  throw new EngineError({
    what: `node-llama-cpp has no prebuilt library for ${platform} here, so weights cannot be quantised`,
    fix: "Install boundary with its optional dependencies, or merge on another machine.",
  });
}

function libraryIn(require: NodeJS.Require, name: string): string | undefined {
  let folder: string;
  try {
    folder = join(dirname(require.resolve(name)), "..", "bins");
  } catch {
    return undefined;
  }
  for (const inner of existsSync(folder) ? readdirSync(folder) : []) {
    const file = readdirSync(join(folder, inner)).find((entry) => LIBRARY_NAMES.base.test(entry));
    if (file !== undefined) return join(folder, inner, file);
  }
  return undefined;
}
