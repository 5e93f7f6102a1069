import { at } from "../../assert.js";
import type { Engine, LikelihoodRequest } from "../../engine/engine.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { ContextShape } from "../../engine/layer-passes.js";
import { contextSizeFor, type PlannedSample, type SweepPlan } from "../plan.js";

/** A prompt with the text that is to follow it, as tokens. */
export type ContinuedPrompt = LikelihoodRequest["prompts"][number];

/**
 * Prompts with their first reference that is not blank, as one text has them: where the last token of a prompt and the first of its reference
 * join, both are the reference's. Samples without such a reference, or whose reference has no token, are left out.
 */
export async function continuedPrompts(
  engine: Engine,
  { samples, template }: Pick<SweepInputs, "samples" | "template">,
  planned: readonly PlannedSample[],
): Promise<ContinuedPrompt[]> {
  const usable = withReferences(samples, planned).map(({ sample, prompt, text, reference }) => {
    const isBare = template === "raw" || sample.prompt?.kind === "text";
    const gap = isBare && !/\s$/.test(text) ? " " : "";
    return { id: sample.id, own: prompt.tokens, whole: `${text}${gap}${reference.trim()}` };
  });
  const tokens = await engine.tokenize(usable.map(({ whole }) => whole));
  return usable.flatMap(({ id, own }, i): ContinuedPrompt[] => {
    const whole = at(tokens, i);
    const parting = own.findIndex((token, place) => whole[place] !== token);
    const shared = Math.max(1, parting < 0 ? own.length : parting);
    const continuation = whole.slice(shared);
    return continuation.length > 0 ? [{ id, tokens: whole.slice(0, shared), continuation }] : [];
  });
}

/** The context in which such prompts are weighed: that of the answers where it is long enough, since that one is open. @param prompts at least one. */
export function weighingContext(
  { generation }: Pick<SweepPlan, "generation">,
  prompts: readonly ContinuedPrompt[],
): ContextShape {
  const longest = Math.max(...prompts.map(({ tokens, continuation }) => tokens.length + continuation.length));
  const { context } = generation;
  return { ...context, contextSize: Math.max(context.contextSize, contextSizeFor(longest)) };
}

/** The samples that have a reference that is not blank, each with the first of them and the text that is asked. */
export function withReferences(
  samples: SweepInputs["samples"],
  planned: readonly PlannedSample[],
): (PlannedSample & { readonly text: string; readonly reference: string })[] {
  const texts = new Map(samples.map(({ part, sample, text }) => [`${part}\0${sample.id}`, text]));
  return planned.flatMap((one) => {
    const reference = one.sample.references.find((candidate) => candidate.trim() !== "");
    const text = texts.get(`${one.part}\0${one.sample.id}`);
    return reference === undefined || text === undefined ? [] : [{ ...one, text, reference }];
  });
}
