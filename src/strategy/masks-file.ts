import { z } from "zod";
import type { Adapter } from "../adapter/adapter.js";
import { selectModules } from "../adapter/select-modules.js";
import { UsageError } from "../errors.js";
import { readYaml } from "../formats/yaml.js";
import { layerList } from "./mask-words.js";
import type { NamedMask } from "./strategy.js";

const layersSchema = z.union([z.string(), z.number().int()]).transform(String);

/** Words as `boundary trim` has them, see KeepRules. */
const partShape = {
  keep: z.number().int().optional(),
  layers: layersSchema.optional(),
  drop: layersSchema.optional(),
  modules: z.string().optional(),
  /** Factor of the update where it is kept. */
  scale: z.number().positive().max(10).optional(),
};
const partSchema = z.strictObject(partShape);
const fileSchema = z
  .array(
    z.strictObject({ name: z.string().min(1).max(60), ...partShape, parts: z.array(partSchema).min(1).optional() }),
  )
  .min(1)
  .max(10_000);

/**
 * Reads masks from a YAML file: a list of `name` with the words of `boundary trim` (`keep`, `layers`, `drop`, `modules`), which intersect, and
 * `scale`; or with `parts`, a list of such words, whose later entries win where they meet.
 * @throws FileError when the file cannot be read; UsageError for anything in it that cannot be used, and for a mask of layers in which the
 * adapter has nothing.
 */
export async function readMasks(path: string, adapter: Adapter, layerCount: number): Promise<NamedMask[]> {
  const entries = parseEntries(path, await readYaml(path));
  const names = new Set<string>();
  return entries.map(({ name, parts, ...own }) => {
    if (names.has(name)) {
      throw new UsageError({
        what: `${path} has two masks of one name`,
        actual: JSON.stringify(name),
        fix: "Rename one.",
      });
    }
    names.add(name);
    const mask = new Map<string, number>();
    for (const part of parts ?? [own]) {
      const kept = selectModules(adapter.modules, layerCount, definedOnly(part));
      if (kept.length === 0) throw keepsNothing(path, name, adapter);
      for (const module of kept) mask.set(module.name, part.scale ?? 1);
    }
    return { name, mask };
  });
}

type Part = z.output<typeof partSchema>;

/** Without what is not given. */
function definedOnly({ keep, layers, drop, modules }: Part): Parameters<typeof selectModules>[2] {
  return {
    ...(keep === undefined ? {} : { keep }),
    ...(layers === undefined ? {} : { layers }),
    ...(drop === undefined ? {} : { drop }),
    ...(modules === undefined ? {} : { modules }),
  };
}

function parseEntries(path: string, document: unknown): z.output<typeof fileSchema> {
  const result = fileSchema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError({
    what: `${path} is no list of masks`,
    actual: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    expected: 'entries such as `- {name: ends, layers: "0-4,25-29", modules: "q_proj,v_proj", scale: 0.5}`',
  });
}

function keepsNothing(path: string, name: string, { coverage }: Adapter): UsageError {
  return new UsageError({
    what: `${path}: the mask ${JSON.stringify(name)} keeps nothing`,
    actual: "layers or modules in which the adapter has no tensors",
    expected: `something of ${layerList(coverage)}`,
  });
}
