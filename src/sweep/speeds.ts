import { at } from "../assert.js";
import type { Candidate } from "../adapter/mask.js";
import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import type { SweepPlan } from "./plan.js";
import type { SweepResult } from "../run/result.js";
import { distinct } from "./candidates-to-answer.js";

/** Tokens generated for a rate. */
const TOKENS = 16;
/** Boundaries measured besides base, full and chosen, evenly spread. */
const BETWEEN = 3;

/**
 * How fast single prompts are read and answered under some of the masks, as someone who serves them would see it: one prompt at a time,
 * each computed whole. What the sweep itself took says nothing of that, since boundaries share what they have in common.
 */
export async function measureSpeeds(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  chosen: Candidate,
): Promise<SweepResult["timings"]["speeds"]> {
  const byLength = [...plan.selection].sort((a, b) => a.prompt.tokens.length - b.prompt.tokens.length);
  const { prompt } = byLength[Math.floor(byLength.length / 2)] ?? {};
  if (!prompt) return [];
  const { candidates, base, full, generation } = plan;
  const between = Array.from({ length: BETWEEN }, (_, i) => {
    return at(candidates, Math.round(((i + 1) * (candidates.length - 1)) / (BETWEEN + 1)));
  });
  const measured = distinct([base, chosen, full, ...between]);
  const request = { context: { ...generation.context, sequences: 1 }, stop: [], invariantTokens: 0, prompts: [prompt] };
  const speeds: SweepResult["timings"]["speeds"] = [];
  for (const { number: boundary, mask } of measured) {
    const own = { ...request, pieces: piecesOf(mask, pieces) };
    // The first call pays for the context.
    await engine.generate({ ...own, prompts: [{ ...prompt, tokens: prompt.tokens.slice(0, 1) }], maxTokens: 2 });
    const [answer] = await engine.generate({ ...own, maxTokens: Math.min(TOKENS, generation.maxTokens) });
    if (!answer) continue;
    speeds.push({
      boundary,
      prefillTokensPerSecond: rate(answer.promptTokens, answer.prefillMs),
      decodeTokensPerSecond: rate(answer.decodedTokens, answer.decodeMs),
    });
  }
  return speeds;
}

function rate(count: number, milliseconds: number): number {
  return milliseconds > 0 ? (1000 * count) / milliseconds : 0;
}
