import { canDequantize, dequantize } from "../formats/dequantize.js";
import { FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { EitherAdapter } from "./either-form.js";
import type { Factor } from "./factor.js";
import type { Finding } from "./finding.js";

/** What makes an update zero: one of its matrices, or their product in 32-bit floats. */
export type ZeroPart = "A" | "B" | "product";

/**
 * The modules one of whose matrices is all zero, so that they change nothing, by name. Reads a tensor as far as its first other number only.
 * @throws FileError, FormatError when a file cannot be read.
 */
export async function zeroUpdates(either: EitherAdapter): Promise<Map<string, ZeroPart>> {
  const { form, adapter } = either;
  const candidates: ZeroCandidate[] =
    form === "gguf"
      ? adapter.modules.map(({ name, a, b }) => ({ name, a: ggufHalf(adapter.path, a), b: ggufHalf(adapter.path, b) }))
      : adapter.modules.map(({ modulePath, a, b }) => ({ name: modulePath, a: peftHalf(a), b: peftHalf(b) }));
  const zero = new Map<string, ZeroPart>();
  for (const { name, a, b } of candidates) {
    if (await isZero(b)) zero.set(name, "B");
    else if (await isZero(a)) zero.set(name, "A");
  }
  return zero;
}

/** One half of an update: bytes of numbers of a type, chunk by chunk. */
interface Half {
  readonly type: string;
  readonly data: () => AsyncIterable<Uint8Array>;
}

interface ZeroCandidate {
  readonly name: string;
  readonly a: Half;
  readonly b: Half;
}

function peftHalf({ dtype, data }: Factor): Half {
  return {
    type: dtype,
    data: async function* () {
      yield* data();
    },
  };
}

/** Quantised numbers become F32; of a type that cannot be read a single 1 stands for them. */
function ggufHalf(path: string, { type, offset, byteLength }: GgufTensor): Half {
  const isPlain = type.blockSize === 1;
  return {
    type: isPlain ? type.name : "F32",
    data: async function* () {
      const source = await FileSource.open(path);
      try {
        if (isPlain) yield* source.stream(offset, byteLength);
        else if (!canDequantize(type)) yield Uint8Array.of(1);
        else yield new Uint8Array(dequantize(type, await source.read(offset, byteLength)).buffer);
      } finally {
        await source.close();
      }
    },
  };
}

/** Whether all numbers are zero. */
async function isZero({ type, data }: Half): Promise<boolean> {
  const bytes = type === "F16" || type === "BF16" ? 2 : 4;
  for await (const chunk of data()) {
    // The sign of a zero may be set: the highest bit of the last byte, in little-endian order.
    if (!chunk.every((byte, i) => byte === 0 || (byte === 0x80 && i % bytes === bytes - 1))) return false;
  }
  return true;
}

interface NameSet {
  readonly size: number;
  keys(): Iterable<string>;
}

/** What to say of modules that change nothing, or undefined where all change something. @param zero their names, as a set or as keys. */
export function zeroFinding(zero: NameSet, total: number): Finding | undefined {
  if (zero.size === 0) return undefined;
  if (zero.size === total) {
    return {
      severity: "warning",
      code: "zero-b",
      message: "Every update is zero: the adapter changes nothing (never trained, or scale 0).",
      fix: "Export the trained adapter again.",
    };
  }
  const names = `${[...zero.keys()].slice(0, 3).join(", ")}${zero.size > 3 ? ", ..." : ""}`;
  const message = `${zero.size} of ${total} updates are zero (never trained): ${names}.`;
  return { severity: "warning", code: "zero-b", message };
}
