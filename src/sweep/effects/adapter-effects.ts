import type { AdapterModule, HashedAdapter } from "../../adapter/adapter.js";
import type { HashedBaseModel } from "../../adapter/base-model.js";
import { updateValues } from "../../adapter/update-values.js";
import { zeroUpdates } from "../../adapter/zero-updates.js";
import { at, defined } from "../../assert.js";
import { withTemporaryFolder } from "../../files/temporary-folder.js";
import { EffectCache } from "./effect-cache.js";
import { EffectTrial, type EffectEngine } from "./effect-trial.js";
import type { AdapterEffects, EffectCause, WithoutEffect } from "../../run/without-effect.js";

const ZERO_CAUSES = { A: "zero-a", B: "zero-b", product: "zero-product" } as const;

/**
 * Finds out which modules of an adapter act. Of each kind of module (and kind of layer, where layers have other tensors) the lowest and the
 * highest are tried by themselves, scaled up so that no real update is lost to rounding: logits equal to the base's in every bit are no
 * effect. Where one of the two has none, all of the kind are tried one by one.
 * @throws whatever the engine throws; EngineError where the base model's own logits are not numbers.
 */
export async function adapterEffects(
  engine: EffectEngine,
  adapter: HashedAdapter,
  model: HashedBaseModel,
): Promise<AdapterEffects> {
  const zero = await zeroUpdates({ form: "gguf", adapter });
  const causes = new Map<string, EffectCause>([...zero].map(([name, part]) => [name, ZERO_CAUSES[part]]));
  const rest = adapter.modules.filter(({ name }) => !zero.has(name));
  const cache = EffectCache.of(engine.info, adapter, model);
  const known = await cache.read();
  const { inert, prompts } = known ? { inert: known, prompts: 0 } : await tryKinds(engine, adapter, model, rest);
  if (!known) await cache.write(inert);
  for (const module of rest) if (inert.has(module.name)) causes.set(module.name, await causeOf(adapter, module));
  return { withoutEffect: byKind(adapter.modules, causes), modules: adapter.modules.length, prompts };
}

async function tryKinds(
  engine: EffectEngine,
  adapter: HashedAdapter,
  model: HashedBaseModel,
  modules: readonly AdapterModule[],
): Promise<{ inert: ReadonlySet<string>; prompts: number }> {
  return withTemporaryFolder("effects", async (folder) => {
    const trial = await EffectTrial.prepare(engine, adapter, model, folder);
    const inert = new Set<string>();
    for (const kind of kindsOf(modules, model)) {
      for (const { name } of await withoutEffect(kind, (some) => trial.acts(some))) inert.add(name);
    }
    return { inert, prompts: trial.prompts };
  });
}

/** Modules of one name in layers with the same tensors: leading dense layers and layers of linear attention are kinds of their own. */
function kindsOf(modules: readonly AdapterModule[], { shapes }: HashedBaseModel): AdapterModule[][] {
  const tensors = new Map<number, string[]>();
  for (const name of shapes.keys()) {
    const block = /^blk\.(\d+)\.(.+)$/.exec(name);
    if (block) tensors.set(Number(block[1]), [...(tensors.get(Number(block[1])) ?? []), defined(block[2], "a name")]);
  }
  const kinds = new Map<string, AdapterModule[]>();
  for (const module of modules) {
    const layer = module.layer === undefined ? "" : (tensors.get(module.layer) ?? []).sort().join(" ");
    const key = `${module.module}\0${layer}`;
    kinds.set(key, [...(kinds.get(key) ?? []), module]);
  }
  return [...kinds.values()].map((kind) => kind.sort((a, b) => (a.layer ?? 0) - (b.layer ?? 0)));
}

/** Those modules of a kind that do nothing. @param kind by ascending layer. */
async function withoutEffect(
  kind: readonly AdapterModule[],
  acts: (modules: readonly AdapterModule[]) => Promise<boolean>,
): Promise<AdapterModule[]> {
  const inertOf = async (modules: readonly AdapterModule[]): Promise<AdapterModule[]> => {
    const inert: AdapterModule[] = [];
    for (const module of modules) if (!(await acts([module]))) inert.push(module);
    return inert;
  };
  const ends = kind.filter((_, i) => i === 0 || i === kind.length - 1);
  const middle = kind.slice(1, -1);
  const inert = await inertOf(ends);
  if (inert.length === 0 || middle.length === 0) return inert;
  if (inert.length === ends.length && !(await acts(middle))) return [...kind];
  return [...inert, ...(await inertOf(middle))];
}

/** Why a module does nothing that the engine was seen to do nothing with. */
async function causeOf(adapter: HashedAdapter, module: AdapterModule): Promise<EffectCause> {
  const { zero, lacksExperts } = await updateValues(adapter, module);
  if (zero) return ZERO_CAUSES[zero];
  return lacksExperts ? "not-routed" : "not-applied";
}

function byKind(modules: readonly AdapterModule[], causes: ReadonlyMap<string, EffectCause>): WithoutEffect[] {
  const found = new Map<string, AdapterModule[]>();
  for (const module of modules) {
    const cause = causes.get(module.name);
    if (cause === undefined) continue;
    const key = `${module.module}\0${cause}`;
    found.set(key, [...(found.get(key) ?? []), module]);
  }
  return [...found].map(([key, own]) => {
    const module = key.slice(0, key.indexOf("\0"));
    return {
      module,
      modules: own.length,
      of: modules.filter((other) => other.module === module).length,
      layers: own.flatMap(({ layer }) => (layer === undefined ? [] : [layer])).sort((a, b) => a - b),
      cause: defined(causes.get(at(own, 0).name), "the cause of a kind"),
    };
  });
}
