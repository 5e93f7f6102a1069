import { at } from "../assert.js";
import type { Engine } from "../engine/engine.js";
import type { HiddenRequest } from "../engine/layer-reader.js";
import type { CkaPosition } from "../strategy/layer-importance.js";
import { continuedPrompts, withReferences } from "./ranking/continuations.js";
import type { SweepInputs } from "./inputs/inputs.js";
import type { PlannedSample } from "./plan.js";

/** A prompt with the one place at which CKA reads it. */
export type CkaPrompt = HiddenRequest["prompts"][number];

/**
 * What CKA reads of samples. Where a reference is read too, samples without one that is not blank are left out.
 * @param position see {@link CkaPosition}.
 */
export async function ckaPrompts(
  engine: Engine,
  inputs: Pick<SweepInputs, "samples" | "template" | "model">,
  planned: readonly PlannedSample[],
  position: CkaPosition,
): Promise<CkaPrompt[]> {
  switch (position) {
    case "published":
      return publishedPrompts(engine, inputs, planned);
    case "response-end":
      return (await continuedPrompts(engine, inputs, planned)).map(({ id, tokens, continuation }) =>
        readAtEnd(id, [...tokens, ...continuation]),
      );
    case "prompt-end":
      return planned.map(({ prompt }) => readAtEnd(prompt.id, prompt.tokens));
  }
}

/**
 * Prompt, reference, a line break and the end token, one behind the other as the script joins them; the end token itself is not read.
 * The script counts the tokens that are no end token: with a chat template that has some inside, its place would lie before the line break.
 */
async function publishedPrompts(
  engine: Engine,
  { samples, model }: Pick<SweepInputs, "samples" | "model">,
  planned: readonly PlannedSample[],
): Promise<CkaPrompt[]> {
  const usable = withReferences(samples, planned).map(({ sample, text, reference }) => ({
    id: sample.id,
    whole: `${text}${reference}\n${model.eosText}`,
  }));
  const [end = [], ...tokens] = await engine.tokenize([model.eosText, ...usable.map(({ whole }) => whole)]);
  return usable.flatMap(({ id }, i) => {
    const all = at(tokens, i);
    const read = model.eosText !== "" && all.at(-1) === end.at(-1) ? all.slice(0, -1) : all;
    return read.length > 0 ? [readAtEnd(id, read)] : [];
  });
}

function readAtEnd(id: string, tokens: readonly number[]): CkaPrompt {
  return { id, tokens, positions: [tokens.length - 1] };
}
