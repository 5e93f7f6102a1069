import { AnswerInProgress, type WaveVocabulary } from "./answer.js";
import { UNBOUNDED, type GenerateRequest, type Generation } from "./engine.js";
import { generateWave, running, type WaveDecoder, type WaveOptions } from "./wave.js";

/** Answers the prompts of a request, one sequence each, with a decoder that has its mask. @returns the answers as they ended. */
export async function answerPrompts(
  decoder: WaveDecoder,
  vocabulary: WaveVocabulary,
  request: Omit<GenerateRequest, "pieces">,
  options: {
    readonly onGeneration?: (generation: Generation) => void;
    readonly onDraft?: NonNullable<WaveOptions["onDraft"]>;
  } = {},
): Promise<Generation[]> {
  const { onGeneration, ...more } = options;
  const done: Generation[] = [];
  const wave = request.prompts.map((prompt, sequence) => {
    return running(new AnswerInProgress(prompt, vocabulary, request), sequence, prompt.drafts);
  });
  await generateWave(decoder, wave, {
    ...more,
    invariantTokens: request.invariantTokens ?? UNBOUNDED,
    onAnswer: ({ answer }) => {
      const generation = answer.generation();
      done.push(generation);
      onGeneration?.(generation);
    },
  });
  return done;
}
