import type { JournalRow } from "./journal.js";

/**
 * What answers cost, whatever machine computes them: each token of prompt and answer passes through so many layers. So a plain answer costs
 * `layers` for each token.
 * @param layers that were computed for each token: L, where nothing is shared between candidates.
 */
export function layerTokens(layers: number, rows: readonly Pick<JournalRow, "promptTokens" | "tokens">[]): number {
  return rows.reduce((sum, { promptTokens, tokens }) => sum + layers * (promptTokens + tokens.length), 0);
}
