import type { Engine, Generation, GenerateRequest, SharedRequest } from "../../src/engine/engine.js";
import { engineInfo } from "./planned-sweep.js";

/** An engine that writes down what it is asked, and answers `<pieces>:<prompt>`. It stands in for llama.cpp where only the asking matters. */
export interface ScriptedEngine extends Engine {
  /** Prompt ids of each wave, in the order of the calls. */
  readonly waves: string[][];
  readonly requests: GenerateRequest[];
  readonly sharedRequests: SharedRequest[];
  /** Most waves that were under way at once. */
  readonly mostAtOnce: () => number;
}

/**
 * @param beforeAnswer runs in each wave before its answers come, with the wave's number from 0; what it throws is the wave's error.
 * @param answersBefore how many answers of a wave come before `beforeAnswer` runs.
 */
export function scriptedEngine(
  beforeAnswer: (wave: number) => void | Promise<void> = () => undefined,
  answersBefore = 0,
): ScriptedEngine {
  const waves: string[][] = [];
  const requests: GenerateRequest[] = [];
  const sharedRequests: SharedRequest[] = [];
  let running = 0;
  let most = 0;
  const generate = async (
    request: GenerateRequest,
    onGeneration?: (one: Generation) => void,
  ): Promise<Generation[]> => {
    const number = waves.push(request.prompts.map(({ id }) => id)) - 1;
    requests.push(request);
    running += 1;
    most = Math.max(most, running);
    try {
      // Answers end in another order than they were asked for.
      const answers = [...request.prompts].reverse().map((prompt) => answerOf(request, prompt.id));
      answers.slice(0, answersBefore).forEach((answer) => onGeneration?.(answer));
      await new Promise((resolve) => setTimeout(resolve, 2));
      await beforeAnswer(number);
      answers.slice(answersBefore).forEach((answer) => onGeneration?.(answer));
      return answers;
    } finally {
      running -= 1;
    }
  };
  const notNeeded = (): Promise<never> => Promise.reject(new Error("not part of an evaluation"));
  return {
    info: engineInfo,
    waves,
    requests,
    sharedRequests,
    mostAtOnce: () => most,
    generate,
    tokenize: notNeeded,
    nextTokenLogits: notNeeded,
    generateShared: async (request, onGeneration) => {
      sharedRequests.push(request);
      for (const { boundary, pieces } of [...request.boundaries].reverse()) {
        for (const { id } of request.prompts) {
          onGeneration({ boundary, generation: answerOf({ ...request, pieces }, id) });
        }
        await Promise.resolve();
      }
    },
    shortcuts: notNeeded,
    work: notNeeded,
    logLikelihoods: notNeeded,
    logLikelihoodsShared: notNeeded,
    peakMemory: notNeeded,
    close: () => Promise.resolve(),
  };
}

function answerOf({ pieces, prompts }: GenerateRequest, id: string): Generation {
  return {
    id,
    text: `${pieces.map(({ path }) => path).join("+")}:${id}`,
    tokens: [1, 2],
    stopReason: "eog",
    promptTokens: prompts.find((prompt) => prompt.id === id)?.tokens.length ?? 0,
    prefillMs: 1,
    decodeMs: 2,
    decodedTokens: 1,
  };
}
