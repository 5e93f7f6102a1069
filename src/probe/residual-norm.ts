import { reading } from "../engine/layer-reader.js";
import { join } from "node:path";
import { at } from "../assert.js";
import type { ScaledPiece } from "../adapter/pieces.js";
import type { ModuleEnergy } from "../engine/layer-passes.js";
import { EngineError } from "../errors.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import type { RandomGenerator } from "../samples/shuffle.js";
import { seededGenerator } from "../statistics/random.js";
import { rootMeanSquare } from "../statistics/root-mean-square.js";
import { losses, meanOf, wholePass, type CardRun } from "./card-run.js";
import { energiesOf } from "../strategy/layer-energy.js";
import { drawPerturbation, whiteningOf, writePerturbations, type Perturbation } from "./perturbation.js";

/**
 * How far a perturbation moves the output of the module that it moves most, as a share of that output. With F32 weights losses are exact to
 * 1e-6 or so, and the curvature of a random tiny model adds a thousandth to a derivative.
 */
const STEP = 0.001;

/**
 * [P]'s projected residual norm of a layer, estimated by forward passes: the root over the layer's linear modules of the sum of
 * ||G S^(-1/2)||_F^2. G is the gradient of the loss (nats per token of the reference, mean over the samples) by the module's weight, S the
 * mean of x x' over all tokens with {@link RIDGE} of its mean eigenvalue added.
 */
export interface ResidualNorm {
  readonly layer: number;
  readonly norm: number;
  readonly standardError: number;
  /** 95 % interval: see {@link rootMeanSquare}. */
  readonly low: number;
  readonly high: number;
  readonly directions: number;
  /** How much the first direction's derivative changes with twice the step, a third of it (Richardson), as a share of the norm. */
  readonly stepError: number;
}

/** Passes that a layer takes. */
export function residualPasses(directions: number): number {
  return 1 + 2 * directions + 2;
}

/**
 * Estimates the projected residual norm of every layer of the base model. For random u and z of signs, the loss changes along u z' S^(-1/2) by
 * u' G S^(-1/2) z, whose square is the norm's square on average; all modules of a layer are moved at once, each in a direction of its own.
 * Derivatives are central differences of two passes.
 * @param run on a model with F32 weights: see {@link withExactRun}.
 * @param energies of the base model.
 * @throws EngineError where a module cannot be perturbed; whatever the engine throws.
 */
export async function residualNorms(
  run: CardRun,
  energies: readonly ModuleEnergy[],
  directions: number,
): Promise<ResidualNorm[]> {
  const generator = seededGenerator(run.seed);
  // Keys and values as they are: F16 rounds away small steps.
  const context = { ...run.context, cacheType: "F32", flashAttention: "off" } as const;
  const precise = { ...run, context };
  return withTemporaryFolder("directions", async (folder) => {
    const norms: ResidualNorm[] = [];
    for (let layer = 0; layer < run.model.layerCount; layer++) {
      const drawn = await drawDirections(precise, energiesOf(energies, layer), { layer, directions, generator });
      const paths = drawn.map((_, i) => join(folder, `layer-${layer}-direction-${i}.gguf`));
      for (const [i, perturbations] of drawn.entries()) {
        await writePerturbations(at(paths, i), run.model.architecture, perturbations);
      }
      if (layer === 0) await assertAdapted(precise, at(paths, 0), at(drawn, 0));
      const largest = Math.max(...drawn.flat().map((draw) => shareOf(draw, energies)));
      norms.push({ layer, ...(await estimate(precise, paths, STEP / largest)) });
    }
    return norms;
  });
}

/** One perturbation of each module for each direction: [directions][modules]. */
async function drawDirections(
  run: CardRun,
  energies: readonly ModuleEnergy[],
  { layer, directions, generator }: { layer: number; directions: number; generator: RandomGenerator },
): Promise<Perturbation[][]> {
  const moments = await reading(run.engine, "inputMoments").inputMoments({ ...wholePass(run, []), layer });
  run.onPass();
  const drawn = Array.from({ length: directions }, (): Perturbation[] => []);
  for (const moment of moments) {
    const whitening = whiteningOf(moment);
    for (const name of moment.modules.filter((module) => energies.some((energy) => energy.name === module))) {
      const outputs = run.model.shapes.get(name)?.[1];
      if (outputs === undefined) throw new RangeError(`the model has no matrix ${name}`);
      for (const direction of drawn) direction.push(drawPerturbation(name, outputs, whitening, generator));
    }
  }
  return drawn;
}

/** How far u v' moves its module's output, as a share of that output's root mean square. */
function shareOf({ name, output }: Perturbation, energies: readonly ModuleEnergy[]): number {
  const energy = energies.find((entry) => entry.name === name);
  return energy && energy.output > 0 ? output / Math.sqrt(energy.output / energy.tokens) : 0;
}

async function estimate(run: CardRun, paths: readonly string[], step: number): Promise<Omit<ResidualNorm, "layer">> {
  const derivative = async (path: string, by: number): Promise<number> => {
    const piece = (scale: number): ScaledPiece[] => [{ path, scale }];
    const [up, down] = [await losses(run, piece(by)), await losses(run, piece(-by))];
    return (meanOf(up) - meanOf(down)) / (2 * by);
  };
  const derivatives: number[] = [];
  for (const path of paths) derivatives.push(await derivative(path, step));
  const coarse = await derivative(at(paths, 0), 2 * step);
  const root = rootMeanSquare(derivatives);
  return {
    norm: root.value,
    standardError: root.standardError,
    low: root.low,
    high: root.high,
    directions: derivatives.length,
    stepError: root.value > 0 ? Math.abs(coarse - at(derivatives, 0)) / 3 / root.value : 0,
  };
}

/** @throws EngineError where llama.cpp's graph applies no adapter to a module: its derivative would be taken for 0. */
async function assertAdapted(run: CardRun, path: string, perturbations: readonly Perturbation[]): Promise<void> {
  const pass = wholePass({ ...run, prompts: run.prompts.slice(0, 1) }, [{ path, scale: 1 }]);
  const seen = await reading(run.engine, "moduleEnergies").moduleEnergies(pass);
  const ignored = perturbations.filter(({ name }) => !seen.some((energy) => energy.name === name && energy.update > 0));
  if (ignored.length === 0) return;
  throw new EngineError({
    what: "the projected residual norm cannot be estimated",
    actual: `llama.cpp applies no adapter to ${ignored.map(({ name }) => name).join(", ")}`,
    fix: "Leave the gradient out.",
  });
}
