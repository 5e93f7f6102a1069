import type { Advice } from "../probe/advise.js";
import { plainTable } from "./table.js";

const OBJECTIVES: Readonly<Record<Advice["objective"], string>> = {
  quality: "the highest scores",
  cost: "most score for the time of a training step",
  inference:
    "the bottom layers: what lies above a boundary runs without an adapter, and a sweep can trim from above only",
};

/** Advice for a terminal: the layers with a reason each, what the choice holds and saves, and how to tell a trainer. */
export function adviceReport(advice: Advice): string {
  const { choice, snippets, layerCount, objective, samples, notes } = advice;
  const table = plainTable(["layer", "reason"]);
  table.options.colAligns = ["left", "left"];
  for (const { layer, reason } of choice.layers) table.push([String(layer), reason]);
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  return [
    `Adapt ${choice.layers.length} of ${layerCount} layers in the next training run (${objective}: ${OBJECTIVES[objective]}), measured on ${samples} samples`,
    table.toString(),
    `They hold ${percent(choice.share)} of the ${advice.by === "cka" ? "importance" : "squared residual norms"} of all layers; the best ${choice.layers.length} hold ${percent(choice.bestShare)}. By the times of the layers on this machine a training step takes ${percent(choice.stepShare)} of one that adapts all.`,
    `PEFT\n\n${snippets.peft.trimEnd()}`,
    ...(snippets.llamaFactory === undefined ? [] : [`LLaMA-Factory\n\n${snippets.llamaFactory.trimEnd()}`]),
    `Unsloth\n\n${snippets.unsloth.trimEnd()}`,
    "A guess from the base model: no adapter was trained for it. `boundary sweep` measures the one that you train.",
    ...notes.map((note) => `note  ${note}`),
  ].join("\n\n");
}
