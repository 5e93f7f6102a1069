import { setImmediate } from "node:timers/promises";
import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from "node-llama-cpp";
import { tokenOf } from "./node-results.js";
import type { SamplerGarbage } from "./serving/sampler-garbage.js";
import type { DecodeStep, WaveDecoder } from "./wave.js";

/**
 * Evaluates waves through node-llama-cpp's sequences. After each call its dispatcher comes to rest, so that the next step finds an
 * empty queue.
 */
export class NodeDecoder implements WaveDecoder {
  readonly rowsOfSequence = 1;

  constructor(
    private readonly sequences: readonly LlamaContextSequence[],
    private readonly garbage: SamplerGarbage,
    readonly rowsOfStep: number,
  ) {}

  async prefill(sequence: number, tokens: readonly number[]): Promise<Token | undefined> {
    const token = await nextToken(this.sequence(sequence), tokens as readonly Token[]);
    await setImmediate();
    this.garbage.sampled(1);
    return token;
  }

  async step(steps: readonly DecodeStep[]): Promise<(Token | undefined)[][]> {
    const next = await Promise.all(
      steps.map(({ sequence, tokens }) => nextToken(this.sequence(sequence), tokens as readonly Token[])),
    );
    await setImmediate();
    this.garbage.sampled(steps.length);
    return next.map((token) => [token]);
  }

  forget(): void {
    throw new RangeError("node-llama-cpp's sequences take one token a step, so there is nothing to forget");
  }

  async clear(): Promise<void> {
    for (const sequence of this.sequences) await sequence.clearHistory();
  }

  private sequence(index: number): LlamaContextSequence {
    const sequence = this.sequences[index];
    if (!sequence) throw new RangeError(`a wave of more than ${this.sequences.length} prompts needs more sequences`);
    return sequence;
  }
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
  return tokenOf(output);
}
