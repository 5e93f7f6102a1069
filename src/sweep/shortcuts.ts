import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boundaryCandidates, type Candidate } from "../adapter/mask.js";
import { piecesOf, writePieces } from "../adapter/pieces.js";
import type { Engine, Shortcuts } from "../engine/engine.js";
import { fileError } from "../errors.js";
import type { SweepConfig } from "./config.js";
import type { SweepInputs } from "./inputs.js";
import { contextFor } from "./plan.js";

/**
 * Has the engine try out, with this model, adapter and a prompt of these samples, which shortcuts change nothing.
 * @param tokens token ids of each sample's prompt.
 * @param options.sharing whether several boundaries will be answered at once.
 */
export async function tryShortcuts(
  engine: Engine,
  config: SweepConfig,
  inputs: SweepInputs,
  tokens: readonly (readonly number[])[],
  { sharing }: { sharing: boolean },
): Promise<Shortcuts> {
  if (config.fixedBatch) return noShortcuts("every token is computed by itself, as asked for");
  if (engine.info.calls === "node") return noShortcuts("llama.cpp is called through node-llama-cpp here");
  const { adapter, model } = inputs;
  const [full] = boundaryCandidates(adapter, model.layerCount, [model.layerCount]);
  const longest = tokens.reduce((a, b) => (b.length > a.length ? b : a), []);
  if (!full || longest.length === 0) return noShortcuts("there is nothing to try them on");
  const middle = sharing ? middleOf(inputs) : undefined;
  const folder = await mkdtemp(join(tmpdir(), "boundary-trial-")).catch((cause: unknown) => {
    throw fileError(tmpdir(), "write", cause);
  });
  try {
    const masks = [full, ...(middle ? [middle] : [])].map(({ mask }) => mask);
    const pieces = await writePieces(adapter, masks, folder);
    return await engine.shortcuts({
      full: piecesOf(full.mask, pieces),
      ...(middle ? { boundary: { boundary: middle.boundary, pieces: piecesOf(middle.mask, pieces) } } : {}),
      context: contextFor(config, inputs, tokens, engine.info.backend),
      tokens: longest,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** No shortcut is taken. @param reason why, for the plan. */
export function noShortcuts(reason: string): Shortcuts {
  return { batchedCells: 0, sharedLayers: false, reasons: [reason] };
}

/**
 * Whether it pays to answer these candidates at once: by layers, one full pass and the layers above each boundary against as many passes
 * as candidates.
 */
export function paysToShare(candidates: readonly Candidate[], layerCount: number): boolean {
  const shared = candidates.reduce((layers, { boundary }) => layers + layerCount - boundary, layerCount);
  return shared < WORTH_IT * candidates.length * layerCount;
}

/** Sharing has costs of its own: copies of hidden states, keys and values put together. */
const WORTH_IT = 0.85;

/** The boundary that is asked for and lies nearest to the middle; undefined where none lies between base and full. */
function middleOf({ adapter, model, boundaries }: SweepInputs): Candidate | undefined {
  const distance = ({ boundary }: Candidate): number => Math.abs(boundary - model.layerCount / 2);
  return boundaryCandidates(adapter, model.layerCount, boundaries)
    .filter(({ keptModules }) => keptModules > 0 && keptModules < adapter.modules.length)
    .sort((a, b) => distance(a) - distance(b))[0];
}
