import { defined } from "../assert.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Findings } from "./finding.js";
import type { PeftModule, ReadModules } from "./peft-adapter.js";
import { kindName, lowRankParts, lowRankUpdate, type LowRankKindName } from "./low-rank-kinds.js";
import { OtherParts } from "./other-parts.js";
import type { PeftConfig } from "./peft-config.js";
import { modulePathOf, shortName } from "./peft-names.js";
import { placeOfPath } from "./peft-places.js";
import { peftRules } from "./peft-scale.js";
import { configTargets, unscaledRanks } from "./peft-targets.js";

/**
 * An adapter of another kind as LoRA, with all scales in its B.
 * @param kind its `peft_type`.
 * @throws AdapterError for a module whose update cannot be computed from what is there.
 */
export function lowRankModules(
  folder: string,
  kind: LowRankKindName,
  config: PeftConfig,
  tensors: readonly SafetensorsTensor[],
  findings: Findings,
): ReadModules {
  const { modules: byPath, shared, unknown } = lowRankParts(kind, tensors);
  const rules = peftRules(
    { ...config, lora_alpha: config.alpha ?? config.lora_alpha ?? 8 },
    [...byPath.keys()],
    folder,
  );
  const others = new OtherParts();
  const modules: PeftModule[] = [];
  if (unknown.length > 0)
    findings.error(
      "unknown-tensor",
      `The file holds tensors that are not ${kindName(kind)}'s: ${unknown.slice(0, 2).join(", ")}${unknown.length > 2 ? `, and ${unknown.length - 2} more` : ""}.`,
      "Merge the adapter into the base with PEFT's merge_and_unload() and convert the merged model.",
    );
  for (const [modulePath, parts] of byPath) {
    if (others.take(modulePath)) continue;
    const place = placeOfPath(modulePath);
    if (place.kind === "unknown" || place.kind === "other-part") {
      findings.error(
        "unknown-module",
        `The text decoder has no place for ${modulePath}.`,
        "Train without such modules.",
      );
      continue;
    }
    const { rank, alpha } = defined(rules.get(modulePath), `the rule of ${modulePath}`);
    const update = lowRankUpdate(kind, {
      modulePath,
      parts,
      shared,
      alpha,
      rank,
      initialRank: initialRank(config, modulePath),
    });
    if (update.rank === 0) continue;
    modules.push({
      modulePath,
      place: place.kind,
      layer: place.kind === "block" ? place.layer : undefined,
      module: shortName(modulePath),
      alpha: update.rank,
      scale: 1,
      ...update,
    });
  }
  others.report(findings, modules.length === 0);
  const large = modules.filter(
    ({ a, b, rank }) => rank * ((a.shape[1] ?? 0) + (b.shape[0] ?? 0)) > (a.shape[1] ?? 0) * (b.shape[0] ?? 0),
  );
  if (large.length > 0)
    findings.warning(
      "high-rank",
      `As LoRA, ${large.length} of ${modules.length} updates are larger than the weights themselves, because their rank is high.`,
      "Approximate them with `boundary convert --max-error 0.01`, or merge the adapter with `boundary merge`.",
    );
  findings.note("kind", `${kindName(kind)}: the update is read as LoRA of rank ${rankRange(modules)}, exactly.`);
  return {
    config: {
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: config.base_model_name_or_path ?? "",
      ...unscaledRanks(modules),
      ...configTargets(modules),
    },
    modules,
    ignored: others.paths,
    extras: [],
  };
}

/** Of a module, where AdaLoRA's configuration lists which of its ranks were kept. */
function initialRank({ rank_pattern: pattern }: PeftConfig, modulePath: string): number | undefined {
  const entry = Object.entries(pattern ?? {}).find(([key]) => {
    return modulePathOf(key.replace(/\.lora_E(?:\.[^.]+)?$/, "")) === modulePath;
  })?.[1];
  return Array.isArray(entry) ? entry.length : undefined;
}

function rankRange(modules: readonly PeftModule[]): string {
  const ranks = modules.map(({ rank }) => rank);
  const [least, most] = [Math.min(...ranks), Math.max(...ranks)];
  return least === most ? String(most) : `${least} to ${most}`;
}
