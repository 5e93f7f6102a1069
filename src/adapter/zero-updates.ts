import { canDequantize, dequantize } from "../formats/dequantize.js";
import { withFileSources, type FileSource } from "../formats/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { EitherAdapter } from "./either-form.js";
import type { Finding } from "./finding.js";

/**
 * Names of the modules of which A or B is all zero, so that they change nothing. Reads a tensor as far as its first other number only.
 * @throws FileError, FormatError when a file cannot be read.
 */
export async function zeroUpdates(either: EitherAdapter): Promise<string[]> {
  const modules =
    either.form === "gguf"
      ? either.adapter.modules.map(({ name, a, b }) => ({
          name,
          halves: [b, a].map((half) => ({ half, path: either.adapter.path })),
        }))
      : either.adapter.modules.map(({ modulePath, a, b }) => ({
          name: modulePath,
          halves: [b, a].map((half) => ({ half, path: half.path })),
        }));
  const paths = modules.flatMap(({ halves }) => halves.map(({ path }) => path));
  return withFileSources(paths, async (sourceOf) => {
    const zero: string[] = [];
    for (const { name, halves } of modules) {
      for (const { half, path } of halves) {
        if (!(await isZero(sourceOf(path), half))) continue;
        zero.push(name);
        break;
      }
    }
    return zero;
  });
}

/** Whether all numbers of a tensor are zero; of a type that cannot be read, no. */
export async function isZero(source: FileSource, tensor: GgufTensor | SafetensorsTensor): Promise<boolean> {
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

/** What to say of modules that change nothing, or undefined where all change something. */
export function zeroFinding(zero: readonly string[], total: number): Finding | undefined {
  if (zero.length === 0) return undefined;
  if (zero.length === total) {
    return {
      severity: "warning",
      code: "zero-b",
      message: "Every update is zero: the adapter changes nothing (never trained, or scale 0).",
      fix: "Export the trained adapter again.",
    };
  }
  const names = `${zero.slice(0, 3).join(", ")}${zero.length > 3 ? ", ..." : ""}`;
  const message = `${zero.length} of ${total} updates are zero (never trained): ${names}.`;
  return { severity: "warning", code: "zero-b", message };
}
