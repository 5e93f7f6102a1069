import { writePieces, type Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import { Journal } from "../run/journal.js";
import { LikelihoodFile } from "../run/likelihood-file.js";
import { RunFolder } from "../run/run-folder.js";
import type { SweepConfig } from "./config.js";
import { assertChangesSomething, withEffects } from "./effects/assert-adapter-has-effect.js";
import type { SweepHooks } from "./follow-sweep.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { candidatesOf, type SweepPlan } from "./plan.js";
import { rankLayers, type LayerRanking } from "./ranking/rank-layers.js";
import { runFingerprint } from "./run-fingerprint.js";
import { planSession, withSession } from "./session.js";

/** A sweep whose inputs, engine and folder are open. */
export interface OpenSweep {
  readonly config: SweepConfig;
  readonly inputs: SweepInputs;
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly journal: Journal;
  readonly likelihoods: LikelihoodFile;
  readonly hooks: SweepHooks;
  /** Without masks yet where the strategy has to rank the layers first. */
  readonly laidOut: SweepPlan;
}

/** An open sweep of which it is known what it will do. */
export interface PlannedSweep extends OpenSweep {
  readonly plan: SweepPlan;
  readonly ranking: LayerRanking | undefined;
  /** The parts of the adapter on disk, of which every mask of the plan is put together. */
  readonly pieces: readonly Piece[];
}

/** Opens what a sweep needs, and closes it afterwards. @param use is given the open sweep. */
export async function withOpenSweep<T>(
  config: SweepConfig,
  hooks: SweepHooks,
  { fresh }: { readonly fresh: boolean },
  use: (open: OpenSweep) => Promise<T>,
): Promise<T> {
  const session = async (given: SweepInputs, engine: Engine): Promise<T> => {
    const laidOut = await planSession(engine, config, given);
    const inputs = await withEffects(given, engine);
    const folder = await RunFolder.take(config.out, runFingerprint(config, inputs, laidOut, engine), { fresh });
    try {
      const likelihoods = await LikelihoodFile.open(folder.file("likelihoods"));
      const journal = await Journal.open(folder.file("journal"));
      try {
        return await use({ config, inputs, engine, folder, journal, likelihoods, hooks, laidOut });
      } finally {
        await journal.close();
        await likelihoods.close();
      }
    } finally {
      await folder.release();
    }
  };
  return withSession(config, hooks.signal, session, hooks.onNote);
}

/**
 * Plans a sweep to the end: ranks the layers where its strategy asks for that, since only then are its masks known, and writes their pieces.
 * @throws AdapterError where full and base give the same logits; what ranking throws.
 */
export async function planSweep(open: OpenSweep): Promise<PlannedSweep> {
  const { inputs, engine, folder, hooks, laidOut } = open;
  const ranking = await rankLayers(inputs.strategy, {
    ...open,
    plan: laidOut,
    pieces: folder.file("pieces"),
    signal: hooks.signal,
    onPass: hooks.onRanking,
  });
  const plan = ranking ? { ...laidOut, ...candidatesOf(inputs, ranking.layers) } : laidOut;
  hooks.onPlan?.(plan, inputs);
  const masks = [...plan.candidates, plan.base, plan.full].map(({ mask }) => mask);
  const pieces = await writePieces(inputs.adapter, masks, folder.file("pieces"));
  await assertChangesSomething(engine, plan, pieces, inputs.adapter.givenPath);
  return { ...open, plan, ranking, pieces };
}
