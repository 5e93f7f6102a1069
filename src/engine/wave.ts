import type { Generation, Prompt, StopReason } from "./engine.js";

/** One answer in the making. */
interface Running {
  readonly prompt: Prompt;
  readonly sequence: number;
  readonly tokens: number[];
  prefillMs: number;
  decodeMs: number;
  decodedTokens: number;
  finished: boolean;
}

export interface WaveOptions {
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

/** One decode step of one sequence: the token to evaluate and its position. */
export interface DecodeStep {
  readonly sequence: number;
  readonly token: number;
  readonly position: number;
}

/** What evaluates a wave: one context under one mask. Greedy: of equal logits the token with the lowest id. */
export interface WaveDecoder {
  /** Evaluates a prompt by itself. @returns the most probable next token; undefined where the engine ends the text. */
  prefill(sequence: number, tokens: readonly number[]): Promise<number | undefined>;
  /** Evaluates one token of each of these sequences in one batch. @returns the most probable next token of each. */
  step(steps: readonly DecodeStep[]): Promise<(number | undefined)[]>;
  /** Forgets all sequences. */
  clear(): Promise<void>;
}

/** What a wave must know of a vocabulary. */
export interface WaveVocabulary {
  isEndOfGeneration(token: number): boolean;
  text(tokens: readonly number[]): string;
}

/**
 * Generates greedily for one wave of prompts, one sequence each. Each prompt is prefilled by itself, so its first token does not
 * depend on its neighbours; then all unfinished sequences take every decode step in one batch. No step starts before the one
 * before it has ended, so the composition of each batch depends on the request alone, never on timing.
 */
export async function generateWave(
  decoder: WaveDecoder,
  vocabulary: WaveVocabulary,
  prompts: readonly Prompt[],
  options: WaveOptions,
  onGeneration: (generation: Generation) => void,
): Promise<Generation[]> {
  const done: Generation[] = [];
  const finish = (running: Running, stopReason: StopReason): void => {
    running.finished = true;
    const generation = asGeneration(vocabulary, running, stopReason, options.stop);
    done.push(generation);
    onGeneration(generation);
  };
  const accept = (running: Running, token: number | undefined): void => {
    if (token === undefined || vocabulary.isEndOfGeneration(token)) {
      finish(running, "eog");
      return;
    }
    running.tokens.push(token);
    const stopped = options.stop.length > 0 && stopAt(vocabulary.text(running.tokens), options.stop) !== undefined;
    if (stopped) finish(running, "stop");
    else if (running.tokens.length >= options.maxTokens) finish(running, "length");
  };

  const wave = await prefillAll(decoder, prompts, accept);
  for (let active = wave.filter(unfinished); active.length > 0; active = active.filter(unfinished)) {
    const started = performance.now();
    const next = await decoder.step(active.map(nextStep));
    const share = (performance.now() - started) / active.length;
    active.forEach((running, i) => {
      running.decodeMs += share;
      running.decodedTokens += 1;
      accept(running, next[i]);
    });
  }
  await decoder.clear();
  return done;
}

async function prefillAll(
  decoder: WaveDecoder,
  prompts: readonly Prompt[],
  accept: (running: Running, token: number | undefined) => void,
): Promise<Running[]> {
  const wave: Running[] = [];
  for (const [sequence, prompt] of prompts.entries()) {
    const running = { prompt, sequence, tokens: [], prefillMs: 0, decodeMs: 0, decodedTokens: 0, finished: false };
    const started = performance.now();
    const token = await decoder.prefill(sequence, prompt.tokens);
    running.prefillMs = performance.now() - started;
    wave.push(running);
    accept(running, token);
  }
  return wave;
}

function nextStep({ sequence, prompt, tokens }: Running): DecodeStep {
  const token = tokens.at(-1);
  if (token === undefined) throw new RangeError("a sequence without a token takes no step");
  return { sequence, token, position: prompt.tokens.length + tokens.length - 1 };
}

function unfinished(running: Running): boolean {
  return !running.finished;
}

function stopAt(text: string, stop: readonly string[]): number | undefined {
  const found = stop.map((string) => text.indexOf(string)).filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}

function asGeneration(
  vocabulary: WaveVocabulary,
  running: Running,
  stopReason: StopReason,
  stop: readonly string[],
): Generation {
  const text = vocabulary.text(running.tokens);
  return {
    id: running.prompt.id,
    text: text.slice(0, stopAt(text, stop)),
    tokens: [...running.tokens],
    stopReason,
    promptTokens: running.prompt.tokens.length,
    prefillMs: running.prefillMs,
    decodeMs: running.decodeMs,
    decodedTokens: running.decodedTokens,
  };
}
