import { setImmediate } from "node:timers/promises";
import { at, defined } from "../../assert.js";
import { AnswerInProgress, type WaveVocabulary } from "../answer.js";
import type { Prompt, SharedGeneration, SharedRequest } from "../engine.js";
import { continueWave, running, type Running } from "../wave.js";
import { TILE_ROWS } from "./batches.js";
import { composeCacheState, parseCacheState, type CacheLayer, type CacheState } from "./cache-state.js";
import type { DirectContext } from "./direct-context.js";
import { DirectDecoder, mostProbable, type MaskAdapters } from "./direct-decoder.js";
import type { HiddenOfBoundaries, PassParts, SharedPasses, TextPass } from "./shared-passes.js";
import { masksOf } from "./shortcuts.js";

/** Tokens of the full adapter's answer that are tried first; twice as many after each try that holds. */
const FIRST_TRY = 8;

/** What one prompt's pass through the full adapter leaves behind. */
interface Pass extends TextPass {
  readonly prompt: Prompt;
  readonly prefillMs: number;
  /** The full adapter's first token. */
  readonly first: number;
  /** Keys and values under the full adapter; those of its answer too, once that is there. */
  state: CacheState;
  /** The full adapter's answer, for so many tokens of which hidden states are known, and these: [tokens, embedding length]. */
  draft: readonly number[];
  passed: number;
  draftHidden: HiddenOfBoundaries;
}

/** What a wave computes with; see SharedLayers. */
export interface WaveParts extends PassParts {
  /** As many sequences as answers are decoded at once. */
  readonly decoding: DirectContext;
}

/** Whole sequences of one context for another of `streams` sequences. */
function composeWhole(state: CacheState, streams: number): Buffer[] {
  return composeCacheState(state, layersOf(state.keys, state.values), state.cells, streams);
}

function layersOf(
  keys: readonly (CacheLayer | undefined)[],
  values: readonly (CacheLayer | undefined)[],
): { key: CacheLayer; value: CacheLayer }[] {
  return keys.map((key, layer) => {
    const value = values[layer];
    if (!key || !value) throw new RangeError(`layer ${layer} has no keys or values`);
    return { key, value };
  });
}

/** Some prompts under some boundaries, as many as there are sequences to decode in. */
export class SharedWave {
  private readonly boundaries: readonly number[];
  private readonly masks: ReadonlyMap<number, MaskAdapters>;
  private readonly full: MaskAdapters;
  private readonly invariantTokens: number;
  /** For each prompt its answers so far, those of the nearest boundary first. */
  private readonly answers: number[][][];
  private readonly decoder: DirectDecoder;
  /** Boundaries between base and full: those that need hidden states. */
  private readonly inner: readonly number[];

  constructor(
    private readonly parts: WaveParts,
    private readonly texts: SharedPasses,
    private readonly request: SharedRequest,
    private readonly vocabulary: WaveVocabulary,
    private readonly onGeneration: (shared: SharedGeneration) => void,
  ) {
    const { model } = parts;
    this.full = masksOf(model, request.full);
    this.masks = new Map(request.boundaries.map(({ boundary, pieces }) => [boundary, masksOf(model, pieces)]));
    this.boundaries = [...this.masks.keys()].sort((a, b) => b - a);
    this.inner = this.boundaries.filter((boundary) => boundary > 0 && boundary < model.layerCount);
    this.invariantTokens = request.invariantTokens ?? 0;
    this.answers = request.prompts.map(({ drafts = [] }) => drafts.map((draft) => [...draft]));
    this.decoder = new DirectDecoder(parts.decoding, this.full);
  }

  async answer(): Promise<void> {
    const { layerCount } = this.parts.model;
    const passes: Pass[] = [];
    try {
      await this.passPrompts(passes, this.full, layerCount);
      if (this.masks.has(layerCount)) {
        await this.answerPasses(layerCount, this.full, passes);
        if (this.inner.length > 0) this.layOutDrafts(passes);
      }
      for (const boundary of this.inner) await this.answerBoundary(boundary, passes);
    } finally {
      this.release(passes);
    }
    if (this.masks.has(0)) await this.answerBase();
  }

  /** The prompts through the full model under one mask; hidden states are taken where boundaries need them. */
  private async passPrompts(passes: Pass[], mask: MaskAdapters, boundary: number): Promise<void> {
    const { texts, parts } = this;
    texts.begin(mask.plain, boundary);
    for (const prompt of this.request.prompts) {
      const started = performance.now();
      const { tokens } = prompt;
      let first = -1;
      const text = { tokens, firstOutput: tokens.length - 1 };
      const pass = texts.whole(text, boundary === 0 ? [] : this.inner, ([logits]) => {
        if (logits) first = mostProbable(logits);
      });
      const state = parseCacheState(Buffer.from(parts.passing.state(0)));
      const prefillMs = performance.now() - started;
      passes.push({ ...pass, prompt, prefillMs, first, state, draft: [], passed: 0, draftHidden: new Map() });
      await setImmediate();
    }
  }

  /** Answers under the mask that the prompts were passed under. */
  private async answerPasses(boundary: number, mask: MaskAdapters, passes: readonly Pass[]): Promise<void> {
    const { decoding } = this.parts;
    this.use(boundary, mask);
    decoding.clear();
    const wave = passes.map(({ prompt, prefillMs, first, state }, sequence): Running => {
      const answer = this.begin(prompt);
      answer.prefillMs = prefillMs;
      answer.accept(first);
      if (!answer.isFinished) decoding.restore(sequence, composeWhole(state, decoding.shape.sequences));
      return running(answer, sequence, this.answers[sequence]);
    });
    for (const one of wave) if (one.answer.isFinished) this.emit(boundary, one);
    await this.finish(boundary, wave);
  }

  /** What of the full adapter's answers may be tried under other boundaries. */
  private layOutDrafts(passes: readonly Pass[]): void {
    for (const [i, pass] of passes.entries()) {
      const [answer = []] = at(this.answers, i);
      pass.draft = answer.slice(0, Math.max(0, this.invariantTokens - pass.prompt.tokens.length));
      pass.draftHidden = this.texts.allocate(this.inner, pass.draft.length);
    }
  }

  /** More of the full adapter's answer through its layers once more, side by side, for the hidden states of its tokens. */
  private passAnswer(pass: Pass, count: number): void {
    const { passing, work, model } = this.parts;
    const from = pass.passed;
    const start = pass.prompt.tokens.length + from;
    const tokens = pass.draft.slice(from, from + count);
    passing.setAdapters(this.full.padded);
    passing.restore(0, composeWhole(pass.state, 1));
    this.texts.tapped(pass.draftHidden, from, tokens.length, () =>
      passing.decodeApart(tokens.map((token, row) => ({ token, position: start + row, sequence: 0, output: true }))),
    );
    pass.passed += tokens.length;
    pass.state = parseCacheState(Buffer.from(passing.state(0)));
    work.decoded(tokens.length, 1, model.layerCount);
  }

  private async answerBoundary(boundary: number, passes: readonly Pass[]): Promise<void> {
    const { decoding } = this.parts;
    const mask = this.masks.get(boundary) ?? this.full;
    this.use(boundary, mask);
    decoding.clear();
    const wave: Running[] = [];
    for (const [sequence, pass] of passes.entries()) {
      const answer = this.begin(pass.prompt);
      const started = performance.now();
      this.runPrompt(boundary, pass, answer);
      answer.prefillMs = performance.now() - started;
      this.tryDraft(boundary, pass, answer);
      const one = running(answer, sequence, this.answers[sequence]);
      if (answer.isFinished) this.emit(boundary, one);
      else this.restoreBoundary(boundary, sequence, pass, answer.position);
      wave.push(one);
      await setImmediate();
    }
    await this.finish(boundary, wave);
  }

  /** A prompt through the layers from the boundary on. */
  private runPrompt(boundary: number, pass: Pass, answer: AnswerInProgress): void {
    let first: number | undefined;
    this.texts.above(boundary, pass, ([logits]) => {
      if (logits) first = mostProbable(logits);
    });
    answer.accept(defined(first, "a token after the prompt"));
  }

  /** Tries the full adapter's answer in the layers from the boundary on, as far as this boundary says the same. */
  private tryDraft(boundary: number, pass: Pass, answer: AnswerInProgress): void {
    const { chain, work } = this.parts;
    const { prompt, draft } = pass;
    const rows = pass.draftHidden.get(boundary);
    const started = performance.now();
    const start = prompt.tokens.length;
    for (let most = FIRST_TRY; !answer.isFinished && rows; most = Math.min(2 * most, TILE_ROWS - 1)) {
      const done = answer.tokens.length - 1;
      // The draft's token at `done` must be the one just accepted: its hidden states then are this boundary's own.
      if (done >= draft.length || answer.tokens[done] !== draft[done]) break;
      if (done === pass.passed) this.passAnswer(pass, most);
      const count = Math.min(most, pass.passed - done);
      const address = rows.address + this.texts.rowBytes(done);
      const logits = chain.run(boundary, { address, count, position: start + done, firstOutput: 0, asIfAlone: true });
      const before = answer.tokens.length;
      const taken = answer.acceptDraft(draft.slice(done + 1, done + count), logits.map(mostProbable));
      work.decoded(count, 1, 0, boundary);
      work.drafted(count - 1, taken);
      answer.decodedTokens += answer.tokens.length - before;
      if (taken < count - 1) {
        chain.forget(boundary, start + done + 1 + taken);
        break;
      }
    }
    answer.decodeMs += performance.now() - started;
  }

  /** Puts a sequence together: the full adapter's keys and values below the boundary, the chain's from there on. */
  private restoreBoundary(boundary: number, sequence: number, pass: Pass, cells: number): void {
    const { chain, decoding } = this.parts;
    const above = chain.states(boundary).map(parseCacheState);
    const layers = layersOf(
      [...pass.state.keys.slice(0, boundary), ...above.map(({ keys }) => keys[0])],
      [...pass.state.values.slice(0, boundary), ...above.map(({ values }) => values[0])],
    );
    decoding.restore(sequence, composeCacheState(pass.state, layers, cells, decoding.shape.sequences));
  }

  private async answerBase(): Promise<void> {
    const base: MaskAdapters = { plain: [], padded: [] };
    const passes: Pass[] = [];
    await this.passPrompts(passes, base, 0);
    await this.answerPasses(0, base, passes);
  }

  /** Decodes a wave to its end and hands its answers on. */
  private async finish(boundary: number, wave: readonly Running[]): Promise<void> {
    const { work } = this.parts;
    await continueWave(this.decoder, wave, {
      invariantTokens: this.invariantTokens,
      onAnswer: (one) => {
        this.emit(boundary, one);
      },
      onDraft: (tried, taken) => {
        work.drafted(tried, taken);
      },
    });
  }

  private use(boundary: number, mask: MaskAdapters): void {
    this.decoder.use(mask, (rows, sequences) => {
      this.parts.work.decoded(rows, sequences, boundary);
    });
  }

  private emit(boundary: number, { answer }: Running): void {
    this.answers[this.request.prompts.indexOf(answer.prompt)]?.unshift([...answer.tokens]);
    this.onGeneration({ boundary, generation: answer.generation() });
  }

  private begin(prompt: Prompt): AnswerInProgress {
    return new AnswerInProgress(prompt, this.vocabulary, this.request);
  }

  private release(passes: readonly Pass[]): void {
    for (const { hidden, draftHidden } of passes) {
      for (const rows of [hidden, draftHidden]) this.texts.release(rows);
    }
  }
}
