import { reading } from "../engine/layer-reader.js";
import type { Engine, Prompt, SharedLikelihood, ShortcutRequest } from "../engine/engine.js";
import { QueueError } from "../errors.js";
import { scaledPieces } from "./adapter-cache.js";
import type { JobContent } from "./answer-job.js";
import { packFloats } from "./call-results.js";
import type { Call } from "./messages.js";

/**
 * Makes a single call of the engine.
 * @param texts the texts that the call names, by hash.
 * @returns the result as it goes through Redis: see callResults.
 * @throws whatever the engine throws.
 */
export async function performCall(
  engine: Engine,
  call: Call,
  { pieces, tokens }: JobContent,
  texts: readonly string[],
): Promise<unknown> {
  const tokensOf = (hash: string): readonly number[] => {
    const known = tokens.get(hash);
    if (!known) throw new QueueError({ what: "a job names a prompt that was not fetched", actual: hash });
    return known;
  };
  const withTokens = <P extends { readonly tokens: string }>(prompt: P): Omit<P, "tokens"> & Pick<Prompt, "tokens"> => {
    return { ...prompt, tokens: tokensOf(prompt.tokens) };
  };
  switch (call.method) {
    case "tokenize":
      return engine.tokenize(texts);
    case "logits": {
      const { context } = call;
      const request = { pieces: scaledPieces(call.mask, pieces), context, tokens: tokensOf(call.tokens) };
      return packFloats(await engine.nextTokenLogits(request));
    }
    case "shortcuts": {
      const { boundary, full, context } = call;
      const request: ShortcutRequest = {
        full: scaledPieces(full, pieces),
        context,
        tokens: tokensOf(call.tokens),
        ...(boundary
          ? { boundary: { boundary: boundary.boundary, pieces: scaledPieces(boundary.pieces, pieces) } }
          : {}),
      };
      return engine.shortcuts(request);
    }
    case "likelihoods":
      return engine.logLikelihoods({
        pieces: scaledPieces(call.mask, pieces),
        context: call.context,
        prompts: call.prompts.map(withTokens),
      });
    case "sharedLikelihoods": {
      const found: SharedLikelihood[] = [];
      const request = {
        full: scaledPieces(call.full, pieces),
        boundaries: call.boundaries.map((one) => ({ ...one, pieces: scaledPieces(one.pieces, pieces) })),
        context: call.context,
        prompts: call.prompts.map(withTokens),
      };
      await engine.logLikelihoodsShared(request, (shared) => found.push(shared));
      return found;
    }
    case "hidden": {
      const prompts = call.prompts.map(withTokens);
      const { context } = call;
      const states = await reading(engine, "hiddenStates").hiddenStates({
        pieces: scaledPieces(call.mask, pieces),
        context,
        prompts,
      });
      return states.map(({ values, ...rest }) => ({ ...rest, values: packFloats(values) }));
    }
    case "energies":
      return reading(engine, "moduleEnergies").moduleEnergies({
        pieces: scaledPieces(call.mask, pieces),
        context: call.context,
        prompts: call.prompts.map(withTokens),
      });
  }
}
