import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { at } from "../assert.js";
import type { ScaledPiece } from "../adapter/pieces.js";
import {
  isBatchInvariant,
  type Engine,
  type EngineInfo,
  type GenerateRequest,
  type Generation,
  type Likelihood,
  type LikelihoodRequest,
  type LogitsRequest,
  type Prompt,
  type SharedGeneration,
  type SharedLikelihood,
  type SharedLikelihoodRequest,
  type SharedRequest,
  type ShortcutRequest,
  type Shortcuts,
} from "../engine/engine.js";
import type { HiddenRequest, HiddenStates, LayerReader } from "../engine/layer-reader.js";
import type { ModuleEnergy, PassRequest } from "../engine/layer-passes.js";
import {
  AnswerRequest,
  answerSettings,
  tokensText,
  type RequestedPrompt,
  type AnswerSettings,
} from "./answer-request.js";
import { PieceList } from "./compose-job.js";
import type { NamedText } from "./content-store.js";
import { digest } from "../files/digest.js";
import type { Dispatcher } from "./dispatcher.js";
import { callResults, unfit, unpackFloats } from "./call-results.js";
import { checked, type Call, type JobPrompt } from "./messages.js";
import { PieceCatalog } from "./piece-catalog.js";

/** Time limit of a single call, in milliseconds: trials on a large model take minutes. */
const CALL_TIMEOUT_MS = 3_600_000;
/** Characters of texts that are tokenised by one job. */
const TEXTS_OF_JOB = 1 << 20;
/** Waves that a sweep may have under way: enough for a thousand workers, and few enough to hold in memory. */
const WAVES_IN_FLIGHT = 4096;

/** What a remote engine consists of. */
export interface RemoteParts {
  readonly redis: Redis;
  readonly dispatcher: Dispatcher;
  readonly run: string;
  readonly adapter: string;
  readonly adapterBytes: number;
  readonly layerCount: number;
}

/** The workers of a queue as one engine: what it is asked goes out as jobs, and any worker of the same class may answer. */
export class RemoteEngine implements Engine, Pick<LayerReader, "hiddenStates" | "moduleEnergies"> {
  readonly wavesInFlight = WAVES_IN_FLIGHT;
  private readonly book = new PieceCatalog();
  private readonly prompts = new WeakMap<readonly number[], string>();

  constructor(
    private readonly parts: RemoteParts,
    readonly info: EngineInfo,
  ) {}

  async tokenize(texts: readonly string[]): Promise<number[][]> {
    const found: number[][] = [];
    for (const some of bundles(texts)) {
      const text = JSON.stringify(some);
      const sha256 = digest(text);
      const named = { sha256, text: () => text };
      const result = await this.call({ method: "tokenize", texts: sha256 }, new PieceList(), [named]);
      const tokens = checked(callResults.tokenize, result, "a tokenisation");
      const isWhole =
        tokens.length === some.length && tokens.every((ids) => ids.every((id) => id < this.info.vocabulary));
      if (!isWhole) throw unfit("a tokenisation");
      found.push(...tokens);
    }
    return found;
  }

  async generate(request: GenerateRequest, onGeneration?: (generation: Generation) => void): Promise<Generation[]> {
    const { pieces, ...rest } = request;
    const masks = [{ boundary: 0, pieces: await this.book.asked(pieces) }];
    const generations: Generation[] = [];
    await this.answer(rest, { masks, full: undefined }, (_, generation) => {
      generations.push(generation);
      onGeneration?.(generation);
    });
    return generations;
  }

  async generateShared(request: SharedRequest, onGeneration: (shared: SharedGeneration) => void): Promise<void> {
    const { full, boundaries, ...rest } = request;
    const masks = await Promise.all(
      boundaries.map(async ({ boundary, pieces }) => ({ boundary, pieces: await this.book.asked(pieces) })),
    );
    await this.answer(rest, { masks, full: await this.book.asked(full) }, (boundary, generation) => {
      onGeneration({ boundary, generation });
    });
  }

  async shortcuts({ full, boundary, context, tokens }: ShortcutRequest): Promise<Shortcuts> {
    const list = new PieceList();
    const asked = this.asked([{ id: "", tokens }]);
    const call: Call = {
      method: "shortcuts",
      full: list.mask(await this.book.asked(full)),
      ...(boundary
        ? { boundary: { boundary: boundary.boundary, pieces: list.mask(await this.book.asked(boundary.pieces)) } }
        : {}),
      context,
      tokens: at(asked, 0).sha256,
    };
    return checked(callResults.shortcuts, await this.call(call, list, asked.map(tokensText)), "a trial of shortcuts");
  }

  work(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async nextTokenLogits({ pieces, context, tokens }: LogitsRequest): Promise<Float32Array> {
    const result = await this.callUnder(pieces, [{ id: "", tokens }], (mask, asked) => {
      return { method: "logits", mask, context, tokens: at(asked, 0).tokens };
    });
    return unpackFloats(checked(callResults.logits, result, "logits"), this.info.vocabulary, "logits");
  }

  async logLikelihoods({ pieces, context, prompts }: LikelihoodRequest): Promise<Likelihood[]> {
    const result = await this.callUnder(pieces, prompts, (mask, asked) => {
      return { method: "likelihoods", mask, context, prompts: continued(prompts, asked) };
    });
    const found = checked(callResults.likelihoods, result, "likelihoods");
    const isWhole = found.every(({ id, tokens, logProbability }, i) => {
      return id === prompts[i]?.id && tokens === prompts[i].continuation.length && logProbability <= 0;
    });
    if (found.length !== prompts.length || !isWhole) throw unfit("likelihoods");
    return found;
  }

  async logLikelihoodsShared(
    { full, boundaries, context, prompts }: SharedLikelihoodRequest,
    onLikelihood: (shared: SharedLikelihood) => void,
  ): Promise<void> {
    const list = new PieceList();
    const masks = await Promise.all(
      boundaries.map(async ({ boundary, pieces }) => ({ boundary, pieces: list.mask(await this.book.asked(pieces)) })),
    );
    const asked = this.asked(prompts);
    const call: Call = {
      method: "sharedLikelihoods",
      full: list.mask(await this.book.asked(full)),
      boundaries: masks,
      context,
      prompts: continued(prompts, asked.map(named)),
    };
    const result = await this.call(call, list, asked.map(tokensText));
    const found = checked(callResults.sharedLikelihoods, result, "likelihoods");
    const wanted = boundaries.flatMap(({ boundary }) => prompts.map(({ id }) => JSON.stringify([boundary, id])));
    const seen = new Set(found.map(({ boundary, likelihood }) => JSON.stringify([boundary, likelihood.id])));
    const lengths = new Map(prompts.map(({ id, continuation }) => [id, continuation.length]));
    const isWhole = found.every(({ likelihood: { id, tokens, logProbability } }) => {
      return tokens === lengths.get(id) && logProbability <= 0;
    });
    if (found.length !== wanted.length || !wanted.every((one) => seen.has(one)) || !isWhole) throw unfit("likelihoods");
    for (const shared of found) onLikelihood(shared);
  }

  /** A job each: what a large model has of a few prompts is larger than a worker may tell at once. */
  async hiddenStates({ pieces, context, prompts }: HiddenRequest): Promise<HiddenStates[]> {
    const found = await Promise.all(
      prompts.map(async (prompt) => {
        const result = await this.callUnder(pieces, [prompt], (mask, asked) => {
          const placed = asked.map((one) => ({ ...one, positions: [...prompt.positions] }));
          return { method: "hidden", mask, context, prompts: placed };
        });
        const [state, ...more] = checked(callResults.hidden, result, "hidden states of a prompt");
        const isWhole = state?.id === prompt.id && state.positions === prompt.positions.length && more.length === 0;
        if (!isWhole) throw unfit("hidden states of a prompt");
        return state;
      }),
    );
    return found.map(({ values, ...rest }) => {
      const count = rest.states * rest.positions * rest.length;
      return { ...rest, values: unpackFloats(values, count, "hidden states of a prompt") };
    });
  }

  async moduleEnergies({ pieces, context, prompts }: PassRequest): Promise<ModuleEnergy[]> {
    const result = await this.callUnder(pieces, prompts, (mask, asked) => {
      return { method: "energies", mask, context, prompts: asked };
    });
    return checked(callResults.energies, result, "energies of modules");
  }

  peakMemory(): Promise<number> {
    return Promise.resolve(Math.max(0, ...this.parts.dispatcher.workers.map((one) => one.enginePeakBytes)));
  }

  async close(): Promise<void> {
    await this.parts.dispatcher.close();
    this.parts.redis.disconnect();
  }

  private async answer(
    request: Omit<GenerateRequest, "pieces">,
    masks: Pick<AnswerSettings, "masks" | "full">,
    onGeneration: (boundary: number, generation: Generation) => void,
  ): Promise<void> {
    const { context, maxTokens, stop, invariantTokens } = request;
    const settings = answerSettings(
      { ...masks, context, maxTokens, stop: [...stop], ...(invariantTokens === undefined ? {} : { invariantTokens }) },
      this.parts.layerCount,
    );
    const prompts = this.asked(request.prompts);
    const groups = isBatchInvariant(settings) ? prompts.map((prompt) => [prompt]) : [prompts];
    await this.parts.dispatcher.answer(groups.map((group) => new AnswerRequest(settings, group, onGeneration)));
  }

  /** Prompts with the hash of their tokens' text. */
  private asked(prompts: readonly Pick<Prompt, "id" | "tokens">[]): RequestedPrompt[] {
    return prompts.map(({ id, tokens }): RequestedPrompt => {
      const known = this.prompts.get(tokens) ?? digest(JSON.stringify(tokens));
      this.prompts.set(tokens, known);
      return { id, tokens, sha256: known };
    });
  }

  /** A call under one mask. @param callOf given the mask by places, and the prompts with the hash of their tokens. */
  private async callUnder(
    pieces: readonly ScaledPiece[],
    prompts: readonly Pick<Prompt, "id" | "tokens">[],
    callOf: (mask: [number, number][], asked: JobPrompt[]) => Call,
  ): Promise<unknown> {
    const list = new PieceList();
    const mask = list.mask(await this.book.asked(pieces));
    const asked = this.asked(prompts);
    return this.call(callOf(mask, asked.map(named)), list, asked.map(tokensText));
  }

  private async call(call: Call, list: PieceList, texts: readonly NamedText[]): Promise<unknown> {
    const { dispatcher, run, adapter, adapterBytes } = this.parts;
    // Two calls alike are two jobs: nobody keeps the result of the first.
    const nonce = randomUUID();
    const { pieces } = list;
    const common = { run, adapter, adapterBytes, timeoutMs: CALL_TIMEOUT_MS };
    return dispatcher.call({ kind: "call", ...common, pieces, call, nonce }, texts);
  }
}

/** A prompt as a job names it: by the hash of its tokens. */
function named({ id, sha256 }: RequestedPrompt): JobPrompt {
  return { id, tokens: sha256 };
}

function continued(
  prompts: LikelihoodRequest["prompts"],
  asked: readonly JobPrompt[],
): (JobPrompt & { continuation: number[] })[] {
  return asked.map((one, i) => ({ ...one, continuation: [...at(prompts, i).continuation] }));
}

/** Texts in their order, as many together as make a job. */
function bundles(texts: readonly string[]): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const text of texts) {
    room -= text.length;
    const last = all.at(-1);
    if (last && room >= 0) last.push(text);
    else {
      all.push([text]);
      room = TEXTS_OF_JOB - text.length;
    }
  }
  return all;
}
