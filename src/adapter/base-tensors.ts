import { readGgufHeader, type GgufTensor } from "../formats/gguf-reader.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { BaseModel } from "./base-model.js";

/** A tensor of a base model with the file that it lies in. */
export interface BaseTensor extends GgufTensor {
  readonly file: string;
}

/** The tensors of a base model in all its files, in their order. @throws FileError, FormatError when a file cannot be read. */
export async function baseTensors({ files }: BaseModel): Promise<BaseTensor[]> {
  const all: BaseTensor[] = [];
  for (const file of files) {
    for (const tensor of (await readGgufHeader(file)).tensors) all.push({ ...tensor, file });
  }
  return all;
}

/** Metadata of a base model for a copy of it in one file. @throws as {@link baseTensors}. */
export async function metadataInOneFile({ path }: BaseModel): Promise<GgufMetadata> {
  const { metadata } = await readGgufHeader(path);
  return new Map([...metadata].filter(([key]) => !key.startsWith("split.")));
}
