import type { ControlledEvaluateInputItem, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import type { Generation, Prompt, StopReason } from "./engine.js";
import type { SamplerGarbage } from "./sampler-garbage.js";

/** One answer in the making. */
interface Running {
  readonly prompt: Prompt;
  readonly sequence: LlamaContextSequence;
  readonly tokens: Token[];
  prefillMs: number;
  decodeMs: number;
  decodedTokens: number;
  finished: boolean;
}

export interface WaveOptions {
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

/** What a wave runs on. */
export interface WaveContext {
  readonly model: LlamaModel;
  readonly sequences: readonly LlamaContextSequence[];
  readonly garbage: SamplerGarbage;
}

/**
 * Generates greedily for one wave of prompts, one sequence each. Each prompt is prefilled by itself, so its first token does not
 * depend on its neighbours; then all unfinished sequences take every decode step in one batch. No step starts before the one
 * before it has ended, so the composition of each batch depends on the request alone, never on timing.
 */
export async function generateWave(
  { model, sequences, garbage }: WaveContext,
  prompts: readonly Prompt[],
  options: WaveOptions,
  onGeneration: (generation: Generation) => void,
): Promise<Generation[]> {
  const done: Generation[] = [];
  const finish = (running: Running, stopReason: StopReason): void => {
    running.finished = true;
    const generation = asGeneration(model, running, stopReason, options.stop);
    done.push(generation);
    onGeneration(generation);
  };
  const accept = (running: Running, token: Token | undefined): void => {
    if (token === undefined || model.isEogToken(token)) {
      finish(running, "eog");
      return;
    }
    running.tokens.push(token);
    const stopped = options.stop.length > 0 && stopAt(model.detokenize(running.tokens), options.stop) !== undefined;
    if (stopped) finish(running, "stop");
    else if (running.tokens.length >= options.maxTokens) finish(running, "length");
  };

  const wave = await prefillAll(sequences, prompts, accept);
  for (let active = wave.filter(unfinished); active.length > 0; active = active.filter(unfinished)) {
    const started = performance.now();
    const steps = active.map((running) => nextToken(running.sequence, running.tokens.slice(-1)));
    const next = await Promise.all(steps);
    const share = (performance.now() - started) / active.length;
    await settled();
    garbage.sampled(active.length);
    active.forEach((running, i) => {
      running.decodeMs += share;
      running.decodedTokens += 1;
      accept(running, next[i]);
    });
  }
  garbage.sampled(wave.length);
  for (const { sequence } of wave) await sequence.clearHistory();
  return done;
}

async function prefillAll(
  sequences: readonly LlamaContextSequence[],
  prompts: readonly Prompt[],
  accept: (running: Running, token: Token | undefined) => void,
): Promise<Running[]> {
  const wave: Running[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const sequence = sequences[i];
    if (!sequence) throw new RangeError(`a wave of ${prompts.length} prompts needs as many sequences`);
    const running = { prompt, sequence, tokens: [], prefillMs: 0, decodeMs: 0, decodedTokens: 0, finished: false };
    const started = performance.now();
    const token = await nextToken(sequence, prompt.tokens as readonly Token[]);
    running.prefillMs = performance.now() - started;
    await settled();
    wave.push(running);
    accept(running, token);
  }
  return wave;
}

/** Evaluates the tokens and returns the most probable next one. */
async function nextToken(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<Token | undefined> {
  const last = tokens.at(-1);
  if (last === undefined) throw new RangeError("nothing to evaluate");
  const input: ControlledEvaluateInputItem[] = [
    ...tokens.slice(0, -1),
    [last, { generateNext: { token: true, options: { temperature: 0 } } }],
  ];
  const output = await sequence.controlledEvaluate(input);
  return output.at(-1)?.next.token ?? undefined;
}

/** Lets the engine's dispatcher come to rest, so that the next step finds an empty queue. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function unfinished(running: Running): boolean {
  return !running.finished;
}

function stopAt(text: string, stop: readonly string[]): number | undefined {
  const found = stop.map((string) => text.indexOf(string)).filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}

function asGeneration(
  model: LlamaModel,
  running: Running,
  stopReason: StopReason,
  stop: readonly string[],
): Generation {
  const text = model.detokenize(running.tokens);
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
