import { join } from "node:path";
import { at } from "../assert.js";
import { maskCandidates } from "../adapter/mask.js";
import { writePieces } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import { differenceInterval } from "../statistics/difference.js";
import type { MeanInterval } from "../statistics/mean-interval.js";
import type { SweepConfig } from "../sweep/config.js";
import { evaluate } from "../sweep/evaluate.js";
import type { SweepInputs } from "../sweep/inputs/inputs.js";
import { Journal } from "../run/journal.js";
import { scoreAnswers, scoreOf } from "../choice/scores.js";
import { planWithShortcuts } from "../sweep/shortcuts.js";
import { maskWithout } from "./leave-out.js";

/** What the task's metric does without a layer's adapter, in points. */
export interface LayerScore {
  readonly layer: number;
  /** Without it, minus the full adapter: negative where the layer is missed; with the paired 95 % interval of the metric's kind. */
  readonly change: MeanInterval;
}

/** What {@link leaveOutMetric} measured. */
export interface LeftOutMetric {
  readonly metric: string;
  readonly label: string;
  /** The full adapter's score, 0-100. */
  readonly full: number;
  readonly layers: readonly LayerScore[];
}

/** What answering takes. */
export interface AnsweringRun {
  readonly engine: Engine;
  readonly config: SweepConfig;
  readonly inputs: SweepInputs;
  readonly signal: AbortSignal | undefined;
  /** Called after each answer. */
  readonly onAnswer: () => void;
}

/**
 * Answers the selection with the full adapter and without each layer that it covers, and scores the answers as a sweep does.
 * @throws what planning and answering a sweep throw.
 */
export async function leaveOutMetric({
  engine,
  config,
  inputs,
  signal,
  onAnswer,
}: AnsweringRun): Promise<LeftOutMetric> {
  const { adapter, primary } = inputs;
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const plan = await planWithShortcuts(engine, config, inputs, tokens, { sharing: false });
  const candidates = [[], ...adapter.coverage.map((layer) => [layer])].flatMap((layers) =>
    // Their numbers say nothing here: evaluation tells candidates apart by their masks.
    maskCandidates(adapter, [
      { number: inputs.model.layerCount, name: `without ${layers.join(", ")}`, mask: maskWithout(adapter, layers) },
    ]),
  );
  return withTemporaryFolder("card", async (folder) => {
    const masks = candidates.map(({ mask }) => mask);
    const pieces = await writePieces(adapter, masks, folder);
    const journal = await Journal.open(join(folder, "journal.jsonl"));
    try {
      const evaluation = { plan, inputs, engine, journal, pieces, signal, onRow: onAnswer };
      const answers = await evaluate(evaluation, candidates, plan.selection);
      const samples = plan.selection.map(({ sample }) => sample);
      const [full, ...others] = answers.map((answer) => scoreOf(scoreAnswers(answer, samples, inputs), primary.name));
      if (!full) throw new RangeError("the full adapter has not answered");
      const layers = others.map((score, i): LayerScore => {
        const { estimate, low, high } = differenceInterval(score, full);
        return { layer: at(adapter.coverage, i), change: { mean: estimate, low, high } };
      });
      return { metric: primary.name, label: primary.label, full: full.value, layers };
    } finally {
      await journal.close();
    }
  });
}
