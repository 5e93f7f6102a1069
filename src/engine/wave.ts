import { at } from "../assert.js";
import type { AnswerInProgress } from "./answer.js";
import { UNBOUNDED } from "./engine.js";

/** One decode step of one sequence: its last token and, behind it, tokens that may follow; the position of the first. */
export interface DecodeStep {
  readonly sequence: number;
  readonly tokens: readonly number[];
  readonly position: number;
}

/** What evaluates a wave: one context under one mask. Greedy: of equal logits the token with the lowest id. */
export interface WaveDecoder {
  /** Most tokens of a sequence in one step. */
  readonly rowsOfSequence: number;
  /** Most tokens in one step. */
  readonly rowsOfStep: number;
  /** Evaluates a prompt by itself. @returns the most probable next token; undefined where the engine ends the text. */
  prefill(sequence: number, tokens: readonly number[]): Promise<number | undefined>;
  /**
   * Evaluates these tokens in one batch.
   * @param apart each as though it came alone, where the engine can.
   * @returns for each step the most probable next token after each of its tokens.
   */
  step(steps: readonly DecodeStep[], apart: boolean): Promise<(number | undefined)[][]>;
  /** Forgets a sequence from a position on. */
  forget(sequence: number, from: number): void;
  /** Puts what a sequence remembers into another one, that has nothing. Missing where gaps between sequences cost nothing. */
  move?(from: number, to: number): void;
  /** Forgets all sequences. */
  clear(): Promise<void>;
}

/** An answer and the sequence that it is generated in. */
export interface Running {
  readonly answer: AnswerInProgress;
  /** Changes when it moves into the place of one that is finished. */
  sequence: number;
  /** What the same prompt was answered under other masks, the likeliest first: its tokens are tried before they are decoded one by one. */
  readonly drafts: readonly (readonly number[])[];
  /** Tokens of a draft that are tried at once: twice as many after each that held. */
  reach: number;
}

export interface WaveOptions {
  /** Sequences of up to so many tokens share the calls of the engine; longer ones take each step alone. See GenerateRequest. */
  readonly invariantTokens: number;
  readonly onAnswer: (finished: Running) => void;
  /** Tokens of drafts that were evaluated, and that were taken. */
  readonly onDraft?: (tried: number, taken: number) => void;
}

/** With so many rows in a call more of them make it no cheaper a row, on a CPU. */
const ROWS_OF_CALL = 64;
/**
 * Of so many sequences at most drafts are tried: with more, a row of a draft costs about as much as the step that it may save (an
 * evaluation of 16 rows takes 3 to 4 times as long as one of a single row, and 7 of 8 tokens of a draft hold).
 */
const DRAFTED_SEQUENCES = 4;
/** Tokens of a draft that are tried first: where it does not hold, the rest was computed for nothing. */
const FIRST_REACH = 4;

/** An answer that is to be generated in a sequence. */
export function running(answer: AnswerInProgress, sequence: number, drafts: Running["drafts"] = []): Running {
  return { answer, sequence, drafts, reach: FIRST_REACH };
}

/**
 * Generates greedily for one wave of prompts, one sequence each: each prompt is prefilled by itself, so its first token does not depend
 * on its neighbours; then {@link continueWave}.
 */
export async function generateWave(
  decoder: WaveDecoder,
  wave: readonly Running[],
  options: WaveOptions,
): Promise<void> {
  for (const one of wave) {
    const { answer, sequence } = one;
    const started = performance.now();
    const token = await decoder.prefill(sequence, answer.prompt.tokens);
    answer.prefillMs = performance.now() - started;
    answer.accept(token);
    if (answer.isFinished) options.onAnswer(one);
  }
  await continueWave(decoder, wave, options);
  await decoder.clear();
}

/**
 * Takes answers whose first tokens are known to their end. All that are unfinished and short enough take a decode step together. No
 * step starts before the one before it has ended, so the composition of each batch depends on the request alone, never on timing.
 */
export async function continueWave(
  decoder: WaveDecoder,
  wave: readonly Running[],
  options: WaveOptions,
): Promise<void> {
  for (let active = wave.filter(unfinished); active.length > 0; active = active.filter(unfinished)) {
    closeGaps(decoder, active);
    active.sort((a, b) => a.sequence - b.sequence);
    const together = active.filter(({ answer }) => answer.position < options.invariantTokens);
    const alone = active.filter((one) => !together.includes(one));
    if (together.length > 0) await stepTogether(decoder, together, options);
    for (const one of alone) await take(decoder, [one], [[]], options);
  }
}

/** llama.cpp takes a step in one piece only where the sequences follow each other, in order (llama_batch_allocr::split_equal). */
function closeGaps(decoder: WaveDecoder, active: readonly Running[]): void {
  if (!decoder.move) return;
  const taken = new Set(active.map(({ sequence }) => sequence));
  const beyond = active.filter(({ sequence }) => sequence >= active.length);
  for (let gap = 0; gap < active.length; gap++) {
    if (taken.has(gap)) continue;
    const one = beyond.pop();
    if (!one) return;
    decoder.forget(gap, 0);
    decoder.move(one.sequence, gap);
    one.sequence = gap;
  }
}

async function stepTogether(decoder: WaveDecoder, wave: readonly Running[], options: WaveOptions): Promise<void> {
  if (wave.length > DRAFTED_SEQUENCES) {
    const none = wave.map(() => []);
    await take(decoder, wave, none, options);
    return;
  }
  const most = Math.min(
    decoder.rowsOfSequence - 1,
    Math.max(FIRST_REACH, Math.floor(ROWS_OF_CALL / wave.length) - 1),
    Math.floor(decoder.rowsOfStep / wave.length) - 1,
  );
  const drafts = wave.map(({ answer, drafts: sources, reach }) => {
    return draftOf(answer.tokens, sources, Math.min(most, reach, options.invariantTokens - answer.position - 1));
  });
  // Sequences with as many tokens each go through llama.cpp in one piece, others in several.
  const withDraft = wave.filter((_, i) => drafts[i]?.length);
  const without = wave.filter((_, i) => !drafts[i]?.length);
  for (const group of [withDraft, without]) {
    const own = group.map((one) => at(drafts, wave.indexOf(one)));
    if (group.length > 0) await take(decoder, group, own, options);
  }
}

async function take(
  decoder: WaveDecoder,
  wave: readonly Running[],
  drafts: readonly (readonly number[])[],
  { invariantTokens, onAnswer, onDraft }: WaveOptions,
): Promise<void> {
  const started = performance.now();
  const next = await decoder.step(
    wave.map(({ answer, sequence }, i) => {
      const last = answer.tokens.at(-1);
      if (last === undefined) throw new RangeError("a sequence without a token takes no step");
      return { sequence, tokens: [last, ...at(drafts, i)], position: answer.position };
    }),
    invariantTokens < UNBOUNDED,
  );
  const share = (performance.now() - started) / wave.length;
  for (const [i, one] of wave.entries()) {
    const { answer, sequence } = one;
    const draft = at(drafts, i);
    const before = answer.tokens.length;
    const position = answer.position;
    const taken = answer.acceptDraft(draft, at(next, i));
    answer.decodeMs += share;
    answer.decodedTokens += Math.max(1, answer.tokens.length - before);
    if (draft.length > 0) onDraft?.(draft.length, taken);
    if (draft.length > 0 && taken === draft.length) one.reach *= 2;
    if (answer.isFinished) onAnswer(one);
    else if (taken < draft.length) decoder.forget(sequence, position + 1 + taken);
  }
}

/**
 * What may follow these tokens: what the first source says that begins with them.
 * @param most tokens of a draft; below 1 there is none.
 */
export function draftOf(
  tokens: readonly number[],
  sources: readonly (readonly number[])[],
  most: number,
): readonly number[] {
  if (most < 1) return [];
  const source = sources.find((one) => one.length > tokens.length && tokens.every((token, i) => one[i] === token));
  return source?.slice(tokens.length, tokens.length + most) ?? [];
}

function unfinished({ answer }: Running): boolean {
  return !answer.isFinished;
}
