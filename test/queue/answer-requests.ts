import { answerSettings, type RequestedPiece, type AnswerSettings } from "../../src/queue/answer-request.js";
import { digest } from "../../src/files/digest.js";

/** One piece for each of three layers. */
export const layerPieces = [0, 1, 2].map((layer): RequestedPiece => {
  return {
    piece: { sha256: digest(`piece ${layer}`), modules: [`blk.${layer}.attn_q.weight`], padded: true },
    scale: 1,
  };
});

/** The boundaries 0, 1 and 3 of them. */
export const layerMasks = [0, 1, 3].map((boundary) => ({ boundary, pieces: layerPieces.slice(0, boundary) }));

/** Settings under which prompts can be answered in any company. */
export function askSettingsFor(more: Partial<AnswerSettings> = {}): AnswerSettings {
  const context = { sequences: 4, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" } as const;
  const fixed = { masks: layerMasks, full: layerPieces, context, maxTokens: 8, stop: ["\n"], invariantTokens: 256 };
  return answerSettings({ ...fixed, ...more }, 3);
}
