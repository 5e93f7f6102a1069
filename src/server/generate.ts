import type { EngineOptions } from "../engine/engine.js";
import { openServingEngine } from "../engine/serving/serving-engine.js";
import { greedy, type ServedAnswer } from "../engine/serving/serving.js";
import { InterruptedError, UsageError } from "../errors.js";
import { chatFormatter, type TemplateChoice } from "../tasks/chat.js";
import { openServedModel, type OfferSource } from "./served-model.js";

/** One question without a server. */
export interface GenerateOnce extends OfferSource {
  readonly prompt: string;
  /** K; all of the adapter where there is none. */
  readonly boundary: number | undefined;
  readonly system: string | undefined;
  readonly template: TemplateChoice | undefined;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number | undefined;
  readonly engine: Omit<EngineOptions, "modelPath">;
}

const MOST_CONTEXT = 4096;
/** Tokens in one llama_decode: the sweep's, so that an answer is the one that a sweep sees. */
const BATCH_SIZE = 512;

/**
 * Answers one prompt at one boundary.
 * @param onText for the answer's text as it comes. @param signal stops it.
 * @throws a BoundaryError for anything a user can mend; InterruptedError when the signal fired.
 */
export async function generateOnce(
  { prompt, boundary, system, template, maxTokens, temperature, seed, engine: engineOptions, ...source }: GenerateOnce,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<ServedAnswer & { readonly boundary: number }> {
  const served = await openServedModel(source);
  try {
    const { model } = served;
    const asked = boundary ?? model.layerCount;
    if (asked > model.layerCount) {
      throw new UsageError({
        what: "--boundary is beyond the model",
        actual: String(asked),
        expected: `0 to ${model.layerCount}, the model's layers`,
      });
    }
    const format = chatFormatter(model, template ?? (model.chatTemplate === undefined ? "raw" : "chat"), system);
    const contextSize = Math.min(model.trainContextSize, MOST_CONTEXT);
    const shape = {
      contextSize,
      sequences: 1,
      batchSize: BATCH_SIZE,
      cacheType: "F16",
      flashAttention: "auto",
    } as const;
    const engine = await openServingEngine({ ...engineOptions, modelPath: model.path }, () => {
      return { context: shape, contexts: 1, exact: true };
    });
    try {
      const [tokens = []] = await engine.tokenize([format(prompt)]);
      const room = contextSize - tokens.length;
      if (tokens.length === 0 || room < 1) throw unfit(tokens.length, contextSize);
      const question = {
        tokens,
        maxTokens: Math.min(maxTokens, room),
        maxMs: Infinity,
        stop: served.stop,
        schema: undefined,
      };
      const sampling = { ...greedy, temperature, seed };
      const answer = await engine.answer(
        { ...question, sampling, pieces: served.piecesOf(asked), logprobs: undefined },
        {
          signal,
          onDelta: ({ text }) => {
            onText(text);
          },
        },
      );
      if (answer.stopReason === "cancelled") throw new InterruptedError({ what: "stopped" });
      return { ...answer, boundary: asked };
    } finally {
      await engine.close();
    }
  } finally {
    await served.close();
  }
}

function unfit(tokens: number, contextSize: number): UsageError {
  return tokens === 0
    ? new UsageError({ what: "the prompt is empty" })
    : new UsageError({
        what: "the prompt does not fit the context",
        actual: `${tokens} tokens`,
        expected: `less than ${contextSize}`,
      });
}
