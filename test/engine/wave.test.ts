import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerInProgress, type WaveVocabulary } from "../../src/engine/answer.js";
import { draftOf, generateWave, running, type DecodeStep, type WaveDecoder } from "../../src/engine/wave.js";

const END = 0;
const vocabulary: WaveVocabulary = {
  isEndOfGeneration: (token) => token === END,
  text: (tokens) => tokens.map((token) => String.fromCharCode(96 + token)).join(""),
};

/** A model whose next token is a function of all before it. It insists on positions without gaps, as a key/value cache does. */
class TableDecoder implements WaveDecoder {
  readonly rowsOfSequence = 63;
  readonly rowsOfStep = 512;
  readonly steps: DecodeStep[][] = [];
  private readonly memory = new Map<number, number[]>();

  constructor(private readonly seed: number) {}

  prefill(sequence: number, tokens: readonly number[]): Promise<number> {
    this.memory.set(sequence, [...tokens]);
    return Promise.resolve(this.next(tokens));
  }

  step(steps: readonly DecodeStep[]): Promise<number[][]> {
    this.steps.push([...steps]);
    return Promise.resolve(
      steps.map(({ sequence, tokens, position }) => {
        const seen = this.memory.get(sequence) ?? [];
        expect(seen).toHaveLength(position);
        return tokens.map((token) => {
          seen.push(token);
          return this.next(seen);
        });
      }),
    );
  }

  forget(sequence: number, from: number): void {
    this.memory.set(sequence, (this.memory.get(sequence) ?? []).slice(0, from));
  }

  move(from: number, to: number): void {
    expect(this.memory.get(to) ?? []).toHaveLength(0);
    this.memory.set(to, this.memory.get(from) ?? []);
    this.memory.delete(from);
  }

  clear(): Promise<void> {
    this.memory.clear();
    return Promise.resolve();
  }

  private next(tokens: readonly number[]): number {
    const sum = tokens.reduce((all, token, i) => (all * 31 + token * (i + 7)) % 10_007, this.seed);
    return sum % 9;
  }
}

const prompt = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 12 });

async function answers(
  decoder: TableDecoder,
  prompts: readonly (readonly number[])[],
  drafts: readonly (readonly (readonly number[])[])[],
  invariantTokens: number,
): Promise<unknown[]> {
  const settings = { maxTokens: 20, stop: ["hh"] };
  const wave = prompts.map((tokens, sequence) => {
    const answer = new AnswerInProgress({ id: String(sequence), tokens }, vocabulary, settings);
    return running(answer, sequence, drafts[sequence]);
  });
  await generateWave(decoder, wave, { invariantTokens, onAnswer: () => undefined });
  return wave.map(({ answer }) => {
    const { text, tokens, stopReason, promptTokens } = answer.generation();
    return { text, tokens, stopReason, promptTokens };
  });
}

describe("a wave", () => {
  it("answers the same alone, in company and with any drafts", async () => {
    const sources = fc.array(fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 24 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.tuple(prompt, sources, fc.nat(20)), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(0, 9, 1000),
        async (seed, wave, cells) => {
          const prompts = wave.map(([tokens]) => tokens);
          const plain: unknown[] = [];
          for (const tokens of prompts) plain.push(...(await answers(new TableDecoder(seed), [tokens], [], 0)));
          // Random drafts are hardly ever right: the true answer, cut anywhere, is one of them.
          const drafts = wave.map(([, own, cut], i) => {
            const { tokens } = plain[i] as { tokens: number[] };
            return [...own, tokens.slice(0, cut), [...tokens.slice(0, cut), 8, 8, 8]];
          });
          expect(await answers(new TableDecoder(seed), prompts, drafts, cells)).toEqual(plain);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("takes fewer steps with a draft that is right", async () => {
    const alone = new TableDecoder(3);
    const [plain] = (await answers(alone, [[1, 2, 3]], [], 1000)) as { tokens: number[] }[];
    const drafted = new TableDecoder(3);
    await answers(drafted, [[1, 2, 3]], [[plain!.tokens]], 1000);
    expect(plain!.tokens.length).toBeGreaterThan(4);
    expect(drafted.steps.length).toBeLessThan(alone.steps.length);
  });

  it("has sequences beyond the batched cells step alone, one token at a time", async () => {
    const decoder = new TableDecoder(7);
    await answers(decoder, [[1], [2], [3, 4, 5, 6, 7, 8]], [[[1, 1, 1]], [], []], 6);
    for (const steps of decoder.steps) {
      const long = steps.filter(({ position }) => position >= 6);
      if (long.length > 0) expect(steps).toHaveLength(1);
      expect(long.every(({ tokens }) => tokens.length === 1)).toBe(true);
    }
    expect(decoder.steps.some((steps) => steps.length > 1)).toBe(true);
  });
});

describe("a draft", () => {
  it("is what the first source says that begins with the answer so far", () => {
    const sources = [
      [1, 9],
      [1, 2, 3, 4],
      [1, 2, 5],
    ];
    expect(draftOf([1, 2], sources, 10)).toEqual([3, 4]);
    expect(draftOf([1, 2], sources, 1)).toEqual([3]);
    expect(draftOf([1, 2], sources, 0)).toEqual([]);
    expect(draftOf([2], sources, 10)).toEqual([]);
    expect(draftOf([1, 2, 3, 4], sources, 10)).toEqual([]);
  });
});
