import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AdapterError, BoundaryError, fileError, type ErrorParts } from "../errors.js";
import { readSafetensorsHeader } from "../formats/safetensors-reader.js";
import { foreignLayout, foreignParts } from "./foreign-layout.js";
import { readMlxConfig } from "./mlx-adapter.js";

/** Where an adapter lies, and in which form. */
export interface LocatedAdapter {
  readonly form: "gguf" | "peft";
  /** A GGUF file or a PEFT folder. */
  readonly path: string;
}

const CONFIG = "adapter_config.json";
/** Files by which a PEFT folder may be given instead of its own path. */
const OF_PEFT_FOLDER =
  /^(?:adapter_config\.json|adapter_model(?:-\d{5}-of-\d{5})?\.(?:safetensors|bin|pt)|adapter_model\.safetensors\.index\.json|adapters\.safetensors)$/;
/** How many levels of subfolders are searched for adapters, and how many entries of a folder are looked at. */
const DEPTH = 3;
const MAX_ENTRIES = 1000;

/**
 * Finds out what lies at a path: a GGUF file, a PEFT folder, or one of a PEFT folder's own files, which stands for the folder.
 * @throws FileError when nothing is there; AdapterError that says what else is there, and where the adapter is if one is near.
 */
export async function locateAdapter(path: string): Promise<LocatedAdapter> {
  const found = await stat(path).catch((cause: unknown) => {
    throw fileError(path, "read", cause);
  });
  if (!found.isDirectory()) return locateFile(path);
  const names = await entriesOf(path);
  const isPeft = names.includes(CONFIG) || names.some((name) => /^adapter_model\b/.test(name));
  if (!names.some((name) => /^adapter_model\b/.test(name))) {
    if (names.includes(CONFIG) && (await readMlxConfig(path)) !== undefined) return { form: "peft", path };
    if (names.some((name) => /^(?:\d+_)?adapters\.(?:safetensors|npz)$/.test(name)))
      throw new AdapterError(path, foreignParts("mlx", path));
  }
  if (!isPeft) throw new AdapterError(path, await partsOfFolder(path, names));
  if (!names.includes(CONFIG)) throw new AdapterError(path, await partsOfMissingConfig(path, names));
  const parts = await partsOfMissingWeights(path, names);
  if (parts) throw new AdapterError(path, parts);
  return { form: "peft", path };
}

async function locateFile(path: string): Promise<LocatedAdapter> {
  const name = basename(path);
  if (OF_PEFT_FOLDER.test(name)) return locateAdapter(dirname(path));
  if (/\.safetensors$/i.test(name)) throw new AdapterError(path, await partsOfSafetensors(path));
  if (/\.(?:bin|pt|pth|ckpt|pkl)$/i.test(name)) {
    throw new AdapterError(path, pickleParts(path));
  }
  return { form: "gguf", path };
}

function pickleParts(path: string): ErrorParts {
  return {
    what: `${path} is a pickle (PyTorch), which can run code when it is read`,
    fix: "Give a GGUF file or a PEFT folder with adapter_model.safetensors: PEFT writes one where the adapter is loaded and saved with save_pretrained(FOLDER).",
  };
}

/** A safetensors file that is not named as PEFT names its own. */
async function partsOfSafetensors(path: string): Promise<ErrorParts> {
  const { tensors } = await readSafetensorsHeader(path);
  const layout = foreignLayout(tensors.map(({ name }) => name));
  if (layout !== undefined) return foreignParts(layout, path);
  return {
    what: `${path} is not named as PEFT names its weights`,
    expected: "adapter_model.safetensors",
    fix: `Rename the file, see that its ${CONFIG} lies in the same folder, and give that folder.`,
  };
}

/** A folder with PEFT's configuration and weights that are not where PEFT looks for them; undefined where the reader says it better. */
async function partsOfMissingWeights(folder: string, names: readonly string[]): Promise<ErrorParts | undefined> {
  const isReadable = /^adapter_model\.(?:safetensors|safetensors\.index\.json|bin|pt)$/;
  if (names.some((name) => isReadable.test(name))) return undefined;
  const pickle = names.find((name) => /^adapter_model.*\.bin$/.test(name));
  if (pickle !== undefined) return pickleParts(join(folder, pickle));
  if (names.some((name) => /^adapter_model-\d+-of-\d+\.safetensors$/.test(name))) {
    return {
      what: `${folder} has adapter weights in several files, but not their index`,
      expected: "adapter_model.safetensors.index.json",
      fix: "Copy the index into the folder, or save the adapter again.",
    };
  }
  const other = names.find((name) => /\.safetensors$/i.test(name));
  return other === undefined ? undefined : partsOfSafetensors(join(folder, other));
}

/** A folder with PEFT's weights, but without their configuration. */
async function partsOfMissingConfig(folder: string, names: readonly string[]): Promise<ErrorParts> {
  const weights = names.find((name) => /^adapter_model.*\.safetensors$/.test(name));
  const layout = weights === undefined ? undefined : await layoutOf(join(folder, weights));
  if (layout !== undefined) return foreignParts(layout, folder);
  return {
    what: `${folder} has adapter weights, but no ${CONFIG}`,
    fix: `PEFT writes both: copy the ${CONFIG} of the same training into the folder. It says how the update is scaled.`,
  };
}

/** A folder that is not a PEFT folder itself. */
async function partsOfFolder(folder: string, names: readonly string[]): Promise<ErrorParts> {
  const below = await adaptersBelow(folder, names, DEPTH);
  if (below.length > 0) return partsOfAdaptersBelow(folder, below);
  const ggufs = names.filter((name) => /\.gguf$/i.test(name));
  if (ggufs.length > 0) {
    return {
      what: `${folder} is a folder with ${ggufs.length === 1 ? "a GGUF file" : "GGUF files"}, not a PEFT folder`,
      fix: `Give the file itself: ${ggufs
        .slice(0, 3)
        .map((name) => join(folder, name))
        .join(", ")}.`,
    };
  }
  const weights = names.filter((name) => /\.safetensors$/i.test(name));
  for (const name of weights.slice(0, 8)) {
    const layout = await layoutOf(join(folder, name));
    if (layout !== undefined) return foreignParts(layout, folder);
  }
  const [other] = weights;
  if (other !== undefined) return partsOfSafetensors(join(folder, other));
  const isModel = names.some((name) => /^(?:pytorch_model|consolidated|model).*\.(?:bin|pth|index\.json)$/.test(name));
  if (isModel || (await hasModelCheckpoints(folder, names))) return foreignParts("model", folder);
  return {
    what: names.length === 0 ? `${folder} is an empty folder` : `${folder} holds no adapter`,
    expected: `${CONFIG} and adapter_model.safetensors`,
    fix: "Give a GGUF file, or the folder that PEFT's save_pretrained wrote.",
  };
}

function partsOfAdaptersBelow(folder: string, below: readonly string[]): ErrorParts {
  const steps = below.flatMap((path) => {
    const step = /^checkpoint-(\d+)$/.exec(basename(path))?.[1];
    return step === undefined ? [] : [{ path, step: Number(step) }];
  });
  const newest = steps.toSorted((a, b) => b.step - a.step)[0];
  if (newest && steps.length === below.length) {
    return {
      what: `${folder} is a folder of training checkpoints, not an adapter`,
      fix:
        steps.length === 1
          ? `Give ${newest.path}.`
          : `Give one of its ${steps.length} checkpoints; the newest is ${newest.path}.`,
    };
  }
  const listed = below.slice(0, 5).join(", ");
  return {
    what: `${folder} is not an adapter, but holds ${below.length === 1 ? "one" : `${below.length} of them`}`,
    fix: `Give ${below.length === 1 ? listed : `one of them: ${listed}${below.length > 5 ? ", ..." : ""}`}.`,
  };
}

/** Whether the checkpoints of a training's output are of a whole model. */
async function hasModelCheckpoints(folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names.filter((entry) => /^checkpoint-\d+$/.test(entry))) {
    const inner = await entriesOf(join(folder, name)).catch((): string[] => []);
    if (inner.includes("config.json")) return true;
  }
  return false;
}

/** PEFT folders at most `depth` levels below a folder, in the order of their names. Folders of tools (hidden ones) are passed over. */
async function adaptersBelow(folder: string, names: readonly string[], depth: number): Promise<string[]> {
  if (depth === 0) return [];
  const found: string[] = [];
  for (const name of names.filter((entry) => !entry.startsWith(".")).slice(0, MAX_ENTRIES)) {
    const path = join(folder, name);
    const isFolder = await stat(path).then(
      (entry) => entry.isDirectory(),
      () => false,
    );
    if (!isFolder) continue;
    const inner = await entriesOf(path).catch((): string[] => []);
    if (inner.includes(CONFIG)) found.push(path);
    else found.push(...(await adaptersBelow(path, inner, depth - 1)));
  }
  return found;
}

async function layoutOf(path: string): ReturnType<typeof readLayout> {
  return readLayout(path).catch((error: unknown) => {
    if (error instanceof BoundaryError) return undefined;
    throw error;
  });
}

async function readLayout(path: string): Promise<ReturnType<typeof foreignLayout>> {
  return foreignLayout((await readSafetensorsHeader(path)).tensors.map(({ name }) => name));
}

async function entriesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw fileError(folder, "read", cause);
  });
  return names.sort();
}
