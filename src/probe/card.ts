import { reading } from "../engine/layer-reader.js";
import { at } from "../assert.js";
import { adapterStorage, baseStorage, type LayerStorage } from "./layer-storage.js";
import type { CardPlan } from "./card-plan.js";
import { wholePass, type AdapterRun, type CardRun } from "./card-run.js";
import { layerEnergies, layerMicroseconds } from "../strategy/layer-energy.js";
import { withExactRun } from "./exact-run.js";
import { leaveOut, type Coupling, type LeftOut } from "./leave-out.js";
import type { LeftOutMetric } from "./leave-out-metric.js";
import { residualNorms, type ResidualNorm } from "./residual-norm.js";
import type { MeanInterval } from "../statistics/mean-interval.js";

/** What a layer card says of the base model's layer. */
export interface BaseRow {
  readonly layer: number;
  readonly base: LayerStorage;
  /** See {@link LayerEnergy}, on the base model. */
  readonly activationEnergy: number;
  /** Measured on this machine: no two runs give the same. */
  readonly microsecondsPerToken: number;
  readonly residual?: Omit<ResidualNorm, "layer">;
}

/** One layer of a layer card. */
export interface CardRow extends BaseRow {
  /** Missing in layers where the adapter has no tensors. */
  readonly adapter?: LayerStorage & {
    /** ||s B A x|| / ||W x||, under the full adapter. */
    readonly updateEnergy: number;
    /** As the base's, under the full adapter. */
    readonly microsecondsPerToken: number;
    /** Loss without this layer's adapter, minus that with it: nats per token. */
    readonly lossWithout?: MeanInterval;
    /** Score without this layer's adapter, minus that with it: points. */
    readonly scoreWithout?: MeanInterval;
  };
}

/** A layer card: what forward passes tell of each layer. */
export interface LayerCard {
  readonly samples: number;
  readonly rows: readonly CardRow[];
  /** Mean negative log-likelihood of the references, nats per token. */
  readonly loss?: { readonly full: number; readonly base: number };
  readonly couplings?: readonly Coupling[];
  /** The metric of `scoreWithout`, and the full adapter's score in it. */
  readonly score?: { readonly metric: string; readonly label: string; readonly full: number };
}

/**
 * The part of a card that needs no adapter.
 * @throws EngineError where llama.cpp's graph cannot be read; whatever the engine throws.
 */
export async function measureBase(run: CardRun, { settings }: CardPlan): Promise<BaseRow[]> {
  const { engine, model, onPass } = run;
  const storage = await baseStorage(model);
  const modules = await reading(engine, "moduleEnergies").moduleEnergies(wholePass(run, []));
  onPass();
  const energies = layerEnergies(modules, model.layerCount);
  const base = layerMicroseconds(await reading(engine, "layerTimes").layerTimes(wholePass(run, [])), model.layerCount);
  onPass();
  const { directions, parts } = settings;
  const norms = parts.includes("gradient")
    ? await withExactRun(run, (exact) => residualNorms(exact, modules, directions))
    : undefined;
  return energies.map(({ activation }, layer) => ({
    layer,
    base: storage[layer] ?? { parameters: 0, bytes: 0 },
    activationEnergy: activation,
    microsecondsPerToken: at(base, layer),
    ...residualEntry(norms?.[layer]),
  }));
}

/**
 * A whole card.
 * @param answer measures the metric, where it is asked for.
 * @throws as {@link measureBase}; whatever planning and answering throw.
 */
export async function measureCard(
  run: AdapterRun,
  plan: CardPlan,
  answer: () => Promise<LeftOutMetric>,
): Promise<LayerCard> {
  const { engine, model, adapter, onPass } = run;
  const parts = new Set(plan.settings.parts);
  const bases = await measureBase(run, plan);
  const full = run.piecesOf(new Map(adapter.modules.map(({ name }) => [name, 1])));
  const energies = layerEnergies(
    await reading(engine, "moduleEnergies").moduleEnergies(wholePass(run, full)),
    model.layerCount,
  );
  onPass();
  const adapted = layerMicroseconds(
    await reading(engine, "layerTimes").layerTimes(wholePass(run, full)),
    model.layerCount,
  );
  onPass();
  const isWeighed = parts.has("nll") || parts.has("coupling");
  const leftOut = isWeighed ? await leaveOut(run, plan.singles, plan.pairs) : undefined;
  const scored = parts.has("metric") ? await answer() : undefined;
  return {
    samples: run.prompts.length,
    rows: bases.map((base): CardRow => {
      const { layer } = base;
      const storage = adapterStorage(adapter, layer);
      if (!storage) return base;
      const [lossWithout, scoreWithout] = [changeIn(leftOut?.layers, layer), changeIn(scored?.layers, layer)];
      return {
        ...base,
        adapter: {
          ...storage,
          updateEnergy: at(energies, layer).update,
          microsecondsPerToken: at(adapted, layer),
          ...(lossWithout ? { lossWithout } : {}),
          ...(scoreWithout ? { scoreWithout } : {}),
        },
      };
    }),
    ...lossEntries(leftOut, parts.has("coupling")),
    ...(scored ? { score: { metric: scored.metric, label: scored.label, full: scored.full } } : {}),
  };
}

function residualEntry(norm: ResidualNorm | undefined): Pick<BaseRow, "residual"> {
  if (!norm) return {};
  const { layer: _, ...residual } = norm;
  return { residual };
}

function lossEntries(leftOut: LeftOut | undefined, coupled: boolean): Pick<LayerCard, "loss" | "couplings"> {
  if (!leftOut) return {};
  const { full, base, couplings } = leftOut;
  return { loss: { full, base }, ...(coupled ? { couplings } : {}) };
}

function changeIn(
  changes: readonly { readonly layer: number; readonly change: MeanInterval }[] | undefined,
  layer: number,
): MeanInterval | undefined {
  return changes?.find((entry) => entry.layer === layer)?.change;
}
