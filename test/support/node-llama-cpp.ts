import { setImmediate } from "node:timers/promises";
import {
  getLlama,
  LlamaLogLevel,
  type ControlledEvaluateInputItem,
  type LlamaContextSequence,
  type Token,
} from "node-llama-cpp";
import type { ScaledPiece } from "../../src/adapter/pieces.js";
import type { GenerateRequest, LogitsRequest } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";

/** A model as node-llama-cpp alone answers it, in this process: every answer by itself, in a context of its own. */
export interface NodeModel {
  readonly answers: (request: GenerateRequest) => Promise<number[][]>;
  /** Probabilities of what follows, by token id. */
  readonly probabilitiesAfter: (request: LogitsRequest) => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

/** On the CPU. */
export async function openNodeModel(modelPath: string): Promise<NodeModel> {
  const llama = await getLlama({ build: "never", gpu: false, maxThreads: 0, logLevel: LlamaLogLevel.disabled });
  const model = await llama.loadModel({ modelPath });
  const within = async <T>(
    pieces: readonly ScaledPiece[],
    { contextSize, batchSize, cacheType, flashAttention }: ContextShape,
    work: (sequence: LlamaContextSequence) => Promise<T>,
  ): Promise<T> => {
    const context = await model.createContext({
      contextSize,
      batchSize,
      threads: 1,
      flashAttention: flashAttention === "off" ? false : "auto",
      experimentalKvCacheKeyType: cacheType,
      experimentalKvCacheValueType: cacheType,
      failedCreationRemedy: false,
      lora: { adapters: pieces.map(({ path, scale }) => ({ filePath: path, scale })) },
    });
    try {
      return await work(context.getSequence());
    } finally {
      await context.dispose();
    }
  };
  return {
    answers: async ({ pieces, context, prompts, maxTokens }) => {
      const answers: number[][] = [];
      for (const { tokens } of prompts) {
        answers.push(await within(pieces, context, (sequence) => greedyAnswer(sequence, tokens, maxTokens)));
      }
      return answers;
    },
    probabilitiesAfter: ({ pieces, context, tokens }) =>
      within(pieces, context, async (sequence) => {
        const next = await after(sequence, tokens, { probabilities: true });
        const size = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
        const probabilities = new Float32Array(size);
        for (const [token, probability] of next.probabilities ?? []) probabilities[token] = probability;
        return probabilities;
      }),
    close: () => llama.dispose(),
  };

  async function greedyAnswer(
    sequence: LlamaContextSequence,
    prompt: readonly number[],
    maxTokens: number,
  ): Promise<number[]> {
    const answer: number[] = [];
    for (let input = prompt; answer.length < maxTokens; input = answer.slice(-1)) {
      const { token } = await after(sequence, input, { token: true, options: { temperature: 0 } });
      await setImmediate();
      if (token === undefined || token === null || model.isEogToken(token)) break;
      answer.push(token);
    }
    return answer;
  }
}

type Asked = Exclude<ControlledEvaluateInputItem, Token>[1]["generateNext"];
type Next = NonNullable<Awaited<ReturnType<LlamaContextSequence["controlledEvaluate"]>>[number]>["next"];

async function after(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  generateNext: NonNullable<Asked>,
): Promise<Next> {
  const input = tokens.map((token, i): ControlledEvaluateInputItem => {
    return i === tokens.length - 1 ? [token as Token, { generateNext }] : (token as Token);
  });
  const output = (await sequence.controlledEvaluate(input)).at(-1);
  if (!output) throw new Error("node-llama-cpp says nothing of the last token");
  return output.next;
}
