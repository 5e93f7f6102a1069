import type { HashedBaseModel } from "../../src/adapter/base-model.js";
import type { EngineInfo, Shortcuts } from "../../src/engine/engine.js";
import { InputFiles } from "../../src/files/input-files.js";
import { metricByName } from "../../src/metrics/registry.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import type { SweepInputs } from "../../src/sweep/inputs/inputs.js";
import type { PromptedSample } from "../../src/sweep/inputs/base-inputs.js";
import { layOutSweep, type SweepPlan } from "../../src/sweep/plan.js";
import { noShortcuts } from "../../src/sweep/shortcuts.js";
import { taskByName } from "../../src/tasks/task.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";

export const LAYERS = 4;

export const engineInfo: EngineInfo = {
  backend: "cpu",
  devices: [],
  gpuLayers: 0,
  threads: 1,
  llamaCpp: "b1",
  nodeLlamaCpp: "3.0.0",
  vocabulary: 259,
};

const model: HashedBaseModel = {
  path: "base.gguf",
  files: ["base.gguf"],
  stamps: [],
  sources: [],
  sha256: "ba5e",
  byteLength: 5000,
  architecture: "llama",
  name: "tiny",
  layerCount: LAYERS,
  trainContextSize: 512,
  shortContextSize: undefined,
  chatTemplate: undefined,
  bosText: "",
  eosText: "",
  cacheBytesPerToken: 16,
  stateBytesPerSequence: 0,
  headCount: 4,
  keyValueHeadCount: 2,
  stateKeyHeadCount: 0,
  stateValueHeadCount: 0,
  tiedEmbedding: false,
  shapes: new Map(),
};

export function configWith(settings: Readonly<Record<string, unknown>> = {}): SweepConfig {
  return parseConfig(settings, { model: "base.gguf", adapter: "lora.gguf", data: "v.jsonl", out: "runs/a" });
}

/** Inputs with so many samples in each part (ids `s0`, ... and `h0`, ...), an adapter in every layer and all boundaries. */
export function inputsWith(parts: { selection?: number; holdout?: number } = {}): SweepInputs {
  const { selection = 6, holdout = 3 } = parts;
  const prompted = (part: PromptedSample["part"], count: number, prefix: string): PromptedSample[] =>
    Array.from({ length: count }, (_, i) => ({
      part,
      sample: { id: `${prefix}${i}`, variables: { question: `${prefix}${i}?` }, references: [`answer ${i}`] },
      text: `${prefix}${i}?`,
    }));
  const samples = [...prompted("selection", selection, "s"), ...prompted("holdout", holdout, "h")];
  const task = taskByName("qa");
  return {
    model,
    files: new InputFiles([]),
    adapter: adapterWith(Array.from({ length: LAYERS }, (_, layer) => moduleAt(layer))),
    peft: undefined,
    close: () => Promise.resolve(),
    task,
    rules: "squad",
    metrics: task.metrics.map((name) => metricByName(name, { rules: "squad" })),
    primary: metricByName(task.primary, { rules: "squad" }),
    floors: [],
    reading: { thoughts: [], extract: undefined, trim: true },
    needs: {
      selection: { answers: true, likelihoods: false },
      holdout: { answers: true, likelihoods: false },
    },
    groupBy: undefined,
    askedBy: "{{ question }}",
    decided: { task: "qa" },
    template: "raw",
    chatTemplate: undefined,
    stop: task.stop.raw,
    data: { format: "jsonl", path: "v.jsonl", samples: samples.map(({ sample }) => sample), sha256: "da7a", notes: [] },
    holdoutData: undefined,
    boundaries: Array.from({ length: LAYERS + 1 }, (_, boundary) => boundary),
    samples,
    strategy: { kind: "prefix" },
    strategyText: "prefix",
    masksFromFile: [],
    notes: [],
  };
}

/** Prompts of 2, 3, 4, 2, ... tokens, no two alike. */
export function tokensFor(inputs: SweepInputs): number[][] {
  return inputs.samples.map((_, i) => Array.from({ length: 2 + (i % 3) }, (_unused, at) => 10 * i + at));
}

/** The plan for these inputs; by default with two sequences, so that six samples make three waves. */
export function planWith(
  inputs: SweepInputs = inputsWith(),
  settings: Readonly<Record<string, unknown>> = { sequences: 2 },
  tokens: readonly (readonly number[])[] = tokensFor(inputs),
  shortcuts: Shortcuts = noShortcuts("none is tried here"),
): SweepPlan {
  return layOutSweep(configWith(settings), inputs, engineInfo, tokens).withShortcuts(shortcuts);
}
