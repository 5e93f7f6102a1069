import { digest } from "../files/digest.js";
import type { Engine } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { BoundaryError, EngineCrashError } from "../errors.js";
import type { ChatFormatter } from "../tasks/chat.js";
import { JudgeError, type JudgeModel, type JudgeReply } from "./judge-model.js";
import { interrupted } from "./retry.js";

/** A judge that is a GGUF model in the engine. */
export interface LocalJudgeOptions {
  /** Opened on the judge's model; stays open. */
  readonly engine: Engine;
  /** Wraps the question in the model's chat template. */
  readonly format: ChatFormatter;
  /** As signatures and tables show it. */
  readonly name: string;
  /** Of the model's file, in hexadecimal. */
  readonly modelSha256: string;
  /** Most tokens of question and answer together: the model's training context, or less where memory is short. */
  readonly contextSize: number;
  /** Most tokens of an answer; 16 by default, room for a verdict but not for thoughts. */
  readonly maxTokens?: number;
}

/** Contexts are made in steps of so many tokens, as in a sweep. */
const CONTEXT_STEP = 256;
/** Tokens in one call of llama_decode, as in a sweep: node-llama-cpp's own default. */
const BATCH_SIZE = 512;

/**
 * A judge in the engine, asked one question at a time: a verdict is a token or two, so that nearly all of the time goes into reading
 * the question, which batches do not speed up.
 */
export function localJudge(options: LocalJudgeOptions): JudgeModel {
  const { engine, format, name, modelSha256, contextSize, maxTokens = 16 } = options;
  const { backend, devices, gpuLayers, threads, llamaCpp } = engine.info;
  return {
    name,
    // The formatter is a function: what it makes of a text tells template and system message apart.
    identity: {
      kind: "local",
      modelSha256,
      maxTokens,
      format: digest(format("?")),
      engine: { backend, devices, gpuLayers, threads, llamaCpp },
    },
    notes: [],
    ask: async (question, signal) => {
      if (signal?.aborted) throw interrupted();
      try {
        return await generate(engine, name, format(question), contextSize, maxTokens);
      } catch (error) {
        if (signal?.aborted) throw interrupted(error);
        throw asJudgeError(error, name);
      }
    },
  };
}

async function generate(
  engine: Engine,
  name: string,
  text: string,
  contextSize: number,
  maxTokens: number,
): Promise<JudgeReply> {
  const [tokens = []] = await engine.tokenize([text]);
  // One place more than needed: the engine shifts the context before its last place is taken.
  const needed = tokens.length + maxTokens + 1;
  if (needed - 1 > contextSize) {
    throw new JudgeError(
      { judge: name, kind: "too-long" },
      {
        what: `a question is too long for the judge ${name}`,
        actual: `${tokens.length} tokens and ${maxTokens} for the answer`,
        expected: `at most ${contextSize}`,
        fix: "Use a judge with a longer context.",
      },
    );
  }
  const context: ContextShape = {
    sequences: 1,
    contextSize: Math.ceil(needed / CONTEXT_STEP) * CONTEXT_STEP,
    batchSize: BATCH_SIZE,
    cacheType: "F16",
    flashAttention: "auto",
  };
  const [generation] = await engine.generate({
    pieces: [],
    context,
    prompts: [{ id: "question", tokens }],
    maxTokens,
    stop: [],
  });
  if (generation === undefined) throw new RangeError("the engine gave no answer to a prompt");
  return {
    text: generation.text,
    cut: generation.stopReason === "length",
    usage: { promptTokens: generation.promptTokens, completionTokens: generation.tokens.length },
  };
}

function asJudgeError(error: unknown, name: string): unknown {
  if (error instanceof JudgeError || !(error instanceof BoundaryError)) return error;
  const isFinal = error instanceof EngineCrashError;
  return new JudgeError(
    { judge: name, kind: isFinal ? "unreachable" : "server-error", isFinal },
    { ...error.parts, what: `the judge ${name} failed: ${error.parts.what}`, cause: error },
  );
}
