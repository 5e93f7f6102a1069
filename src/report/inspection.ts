import { kindName } from "../adapter/low-rank-kinds.js";
import { at } from "../assert.js";
import { oneLine, paint } from "./paint.js";
import type { Finding } from "../adapter/finding.js";
import type { InspectedModule, Inspection } from "../adapter/inspect.js";
import { plainTable } from "./table.js";

/** Columns of the longest bar. */
const BAR = 24;

/** What inspect shows: a row for each layer, a bar for the size of its update, totals, and what is odd. */
export function inspectionReport(inspection: Inspection): string {
  const { path, form, kind, architecture, baseName, modules, coverage, bytes, findings } = inspection;
  const head = [
    `${path}: ${kindWords(form, kind)}${architecture === undefined ? "" : ` for ${architecture}`}${baseName === undefined ? "" : `, trained on ${baseName}`}`,
    `${modules.length} modules in ${coverage.length} layers${coverage.length > 0 ? ` (${at(coverage, 0)} to ${at(coverage, coverage.length - 1)})` : ""}, ${bytes.toLocaleString("en-US")} bytes`,
  ];
  return [...head.map(oneLine), "", layerTable(modules), "", ...findings.map(findingLine)].join("\n").trimEnd();
}

function kindWords(form: Inspection["form"], kind: Inspection["kind"]): string {
  if (form === "gguf") return "GGUF adapter";
  if (kind === "MLX") return "mlx-lm adapter";
  return kind === undefined ? "PEFT adapter" : `PEFT adapter (${kindName(kind)})`;
}

function layerTable(modules: readonly InspectedModule[]): string {
  const layers = new Map<string, InspectedModule[]>();
  // A GGUF file holds its layers in the order of their names: 1, 10, 11, 2.
  const byLayer = [...modules].sort((a, b) => (a.layer ?? Infinity) - (b.layer ?? Infinity));
  for (const module of byLayer) {
    const key = module.layer === undefined ? module.module : String(module.layer);
    layers.set(key, [...(layers.get(key) ?? []), module]);
  }
  const norms = new Map([...layers].map(([key, group]) => [key, layerNorm(group)]));
  const highest = [...norms.values()].reduce((a, b) => Math.max(a, b), 0);
  const table = plainTable(["layer", "modules", "rank", "alpha", "scale", "type", "bytes", "norm of update", ""]);
  for (const [key, group] of layers) {
    const norm = norms.get(key) ?? 0;
    table.push([
      key,
      group.map(({ module }) => module).join(" "),
      distinct(group, ({ rank }) => String(rank)),
      distinct(group, ({ alpha }) => shortNumber(alpha)),
      distinct(group, ({ scale }) => shortNumber(scale)),
      distinct(group, ({ types }) => types),
      group.reduce((sum, { bytes }) => sum + bytes, 0).toLocaleString("en-US"),
      group.some((module) => module.norm === undefined) ? "unknown" : norm.toPrecision(4),
      highest > 0 ? "#".repeat(Math.round((BAR * norm) / highest)).padEnd(BAR) : "",
    ]);
  }
  return table.toString();
}

/** Frobenius norm over all updates of a layer. */
function layerNorm(group: readonly InspectedModule[]): number {
  return Math.sqrt(group.reduce((sum, { norm }) => sum + (norm ?? 0) ** 2, 0));
}

function distinct(group: readonly InspectedModule[], pick: (module: InspectedModule) => string): string {
  return [...new Set(group.map(pick))].join(" ");
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function findingLine({ severity, message, fix }: Finding): string {
  const colour = severity === "error" ? paint.red : severity === "warning" ? paint.yellow : paint.dim;
  return colour(oneLine(`${severity}: ${message}${fix === undefined ? "" : ` ${fix}`}`));
}
