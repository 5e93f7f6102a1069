import { join } from "node:path";
import { AdapterError } from "../errors.js";
import { exists } from "../files/atomic-file.js";
import { withStamp, type FileStamp } from "../files/file-stamp.js";
import { readSafetensorsFolder } from "../formats/safetensors-folder.js";
import { readSafetensorsHeader, type SafetensorsTensor } from "../formats/safetensors-reader.js";
import { readTorchFile } from "../formats/torch-file.js";
import type { AdapterKind } from "./peft-adapter.js";

/** Where the weights of mlx-lm and of mlx-vlm lie. */
const MLX_FILES = ["adapters.safetensors", "weights.safetensors"];

/** What torch.save wrote for PEFT, and for torchtune. */
const TORCH_FILES = ["adapter_model.bin", "adapter_model.pt"];

/** The tensors of an adapter's folder. */
export interface AdapterWeights {
  readonly files: readonly { readonly path: string; readonly fileSize: number }[];
  readonly stamps: readonly FileStamp[];
  readonly tensors: readonly SafetensorsTensor[];
  /** Metadata of the weights' file, of the first one where there are several. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads the table of an adapter's tensors: safetensors, in one file or several, or what torch.save wrote.
 * @throws FileError, FormatError when there is no such file, or it is not sound.
 */
export async function readAdapterWeights(folder: string, kind: AdapterKind): Promise<AdapterWeights> {
  if (kind === "MLX") return readMlx(folder);
  const has = (name: string): Promise<boolean> => exists(join(folder, name));
  const isSafe = (await has("adapter_model.safetensors")) || (await has("adapter_model.safetensors.index.json"));
  for (const name of isSafe ? [] : TORCH_FILES) {
    if (!(await has(name))) continue;
    const { value, stamp } = await withStamp(join(folder, name), readTorchFile);
    return { files: [value], stamps: [stamp], tensors: value.tensors, metadata: new Map() };
  }
  const { files, stamps, tensors } = await readSafetensorsFolder(folder, "adapter_model");
  return { files, stamps, tensors, metadata: files[0]?.metadata ?? new Map() };
}

async function readMlx(folder: string): Promise<AdapterWeights> {
  for (const name of MLX_FILES) {
    const path = join(folder, name);
    if (!(await exists(path))) continue;
    const { value: header, stamp } = await withStamp(path, readSafetensorsHeader);
    return { files: [header], stamps: [stamp], tensors: header.tensors, metadata: header.metadata };
  }
  throw new AdapterError(folder, {
    what: `${folder} has the configuration of an mlx-lm adapter, but not its weights`,
    expected: MLX_FILES.join(" or "),
    fix: "Copy the weights into the folder. Of checkpoints such as 0000100_adapters.safetensors, rename the one that you want.",
  });
}
