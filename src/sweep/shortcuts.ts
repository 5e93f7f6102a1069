import { boundaryCandidates, maskKey, type Candidate } from "../adapter/mask.js";
import { piecesOf, writePieces, type Piece } from "../adapter/pieces.js";
import type { Engine, SharedRequest, Shortcuts } from "../engine/engine.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import type { SweepConfig } from "./config.js";
import type { SweepInputs } from "./inputs/inputs.js";
import { assertMemory, layOutSweep, type SweepLayout, type SweepPlan } from "./plan.js";

/**
 * {@link layOutSweep} with the shortcuts that the engine finds to change nothing, tried out with this model, adapter and one of these prompts.
 * @param tokens token ids of each sample's prompt.
 * @param options.sharing whether several boundaries will be answered at once.
 * @throws what laying out does, and MemoryError, before anything is tried.
 */
export async function planWithShortcuts(
  engine: Engine,
  config: SweepConfig,
  inputs: SweepInputs,
  tokens: readonly (readonly number[])[],
  options: { readonly sharing: boolean },
): Promise<SweepPlan> {
  const layout = layOutSweep(config, inputs, engine.info, tokens);
  assertMemory(inputs.model, layout.context);
  return layout.withShortcuts(await tryShortcuts(engine, config, inputs, layout, options));
}

async function tryShortcuts(
  engine: Engine,
  config: SweepConfig,
  inputs: SweepInputs,
  { full, selection, context }: SweepLayout,
  { sharing }: { readonly sharing: boolean },
): Promise<Shortcuts> {
  if (config.fixedBatch) return noShortcuts("every token is computed by itself, as asked for");
  const { adapter } = inputs;
  const [longest] = selection.map(({ prompt }) => prompt.tokens).sort((a, b) => b.length - a.length);
  if (!longest) return noShortcuts("there is nothing to try them on");
  const middle = sharing ? middleOf(inputs) : undefined;
  return withTemporaryFolder("trial", async (folder) => {
    const masks = [full, ...(middle ? [middle] : [])].map(({ mask }) => mask);
    const pieces = await writePieces(adapter, masks, folder);
    return engine.shortcuts({
      full: piecesOf(full.mask, pieces),
      ...(middle ? { boundary: { boundary: middle.number, pieces: piecesOf(middle.mask, pieces) } } : {}),
      context,
      tokens: longest,
    });
  });
}

/** No shortcut is taken. @param reason why, for the plan. */
export function noShortcuts(reason: string): Shortcuts {
  return { invariantTokens: 0, sharedLayers: false, reasons: [reason] };
}

/**
 * Whether these candidates are answered at once: where the engine can, and where it pays. By layers, one full pass and the layers above each
 * boundary stand against as many passes as candidates.
 */
export function sharesLayers(
  { shortcuts, layerCount }: Pick<SweepPlan, "shortcuts" | "layerCount">,
  candidates: readonly Candidate[],
): boolean {
  if (!shortcuts.sharedLayers) return false;
  const shared = candidates.reduce((layers, { number: boundary }) => layers + layerCount - boundary, layerCount);
  return shared < WORTH_IT * candidates.length * layerCount;
}

/** These candidates as the engine takes boundaries that share layers; whoever keeps all that the adapter has is the full one. */
export function sharedMasks(
  { full, layerCount }: SweepPlan,
  candidates: readonly Candidate[],
  pieces: readonly Piece[],
): Pick<SharedRequest, "full" | "boundaries"> {
  const whole = maskKey(full.mask);
  return {
    full: piecesOf(full.mask, pieces),
    boundaries: candidates.map(({ number: boundary, mask }) => ({
      boundary: maskKey(mask) === whole ? layerCount : boundary,
      pieces: piecesOf(mask, pieces),
    })),
  };
}

/** Sharing has costs of its own: copies of hidden states, keys and values put together. */
const WORTH_IT = 0.85;

/** The boundary that is asked for and lies nearest to the middle; undefined where none lies between base and full. */
function middleOf({ adapter, model, boundaries }: SweepInputs): Candidate | undefined {
  const distance = ({ number: boundary }: Candidate): number => Math.abs(boundary - model.layerCount / 2);
  return boundaryCandidates(adapter, model.layerCount, boundaries)
    .filter(({ keptModules }) => keptModules > 0 && keptModules < adapter.modules.length)
    .sort((a, b) => distance(a) - distance(b))[0];
}
