import { canDequantize, dequantize } from "../formats/dequantize.js";
import { withFileSources, type FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { EitherAdapter } from "./either-form.js";
import type { Finding } from "./finding.js";

/** What makes an update zero: one of its matrices, or their product in 32-bit floats. */
export type ZeroPart = "A" | "B" | "product";

/**
 * The modules one of whose matrices is all zero, so that they change nothing, by name. Reads a tensor as far as its first other number only.
 * @throws FileError, FormatError when a file cannot be read.
 */
export async function zeroUpdates(either: EitherAdapter): Promise<Map<string, ZeroPart>> {
  const { form, adapter } = either;
  const modules: ZeroCandidate[] =
    form === "gguf"
      ? adapter.modules.map(({ name, a, b }) => ({ name, a, b, pathOfA: adapter.path, pathOfB: adapter.path }))
      : adapter.modules.map(({ modulePath, a, b }) => ({ name: modulePath, a, b, pathOfA: a.path, pathOfB: b.path }));
  const paths = modules.flatMap(({ pathOfA, pathOfB }) => [pathOfA, pathOfB]);
  return withFileSources(paths, async (sourceOf) => {
    const zero = new Map<string, ZeroPart>();
    for (const { name, a, b, pathOfA, pathOfB } of modules) {
      if (await isZero(sourceOf(pathOfB), b)) zero.set(name, "B");
      else if (await isZero(sourceOf(pathOfA), a)) zero.set(name, "A");
    }
    return zero;
  });
}

interface ZeroCandidate {
  readonly name: string;
  readonly a: GgufTensor | SafetensorsTensor;
  readonly b: GgufTensor | SafetensorsTensor;
  readonly pathOfA: string;
  readonly pathOfB: string;
}

/** Whether all numbers of a tensor are zero; of a type that cannot be read, no. */
async function isZero(source: FileSource, tensor: GgufTensor | SafetensorsTensor): Promise<boolean> {
  const { offset, byteLength } = tensor;
  if ("type" in tensor && tensor.type.blockSize > 1) {
    if (!canDequantize(tensor.type)) return false;
    return dequantize(tensor.type, await source.read(offset, byteLength)).every((value) => value === 0);
  }
  const type = "type" in tensor ? tensor.type.name : tensor.dtype;
  const bytes = type === "F16" || type === "BF16" ? 2 : 4;
  for await (const chunk of source.stream(offset, byteLength)) {
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
