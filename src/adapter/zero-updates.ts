import { canDequantize } from "../formats/dequantize.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { EitherAdapter } from "./either-form.js";
import type { Factor } from "./factor.js";
import { ggufChunks } from "./gguf-chunks.js";
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
      : adapter.modules.map(({ modulePath, a, b }) => ({
          name: modulePath,
          a: { type: a.dtype, data: a.data },
          b: { type: b.dtype, data: b.data },
        }));
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
  readonly data: Factor["data"];
}

interface ZeroCandidate {
  readonly name: string;
  readonly a: Half | undefined;
  readonly b: Half | undefined;
}

/** Undefined for a type that cannot be read. */
function ggufHalf(path: string, tensor: GgufTensor): Half | undefined {
  const { type } = tensor;
  if (type.blockSize === 1) return { type: type.name, data: () => ggufChunks(path, tensor) };
  return canDequantize(type) ? { type: "F32", data: () => ggufChunks(path, tensor) } : undefined;
}

/** Whether all numbers are zero; of a type that cannot be read, no. */
async function isZero(half: Half | undefined): Promise<boolean> {
  if (!half) return false;
  const { type, data } = half;
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
