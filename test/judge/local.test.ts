import { describe, expect, it } from "vitest";
import type { Engine, EngineInfo, GenerateRequest, Generation } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { EngineCrashError, EngineError, InterruptedError } from "../../src/errors.js";
import { JudgeError, type JudgeModel } from "../../src/judge/judge-model.js";
import { localJudge, type LocalJudgeOptions } from "../../src/judge/local.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();
const info: EngineInfo = {
  backend: "cpu",
  devices: [],
  gpuLayers: 0,
  threads: 1,
  llamaCpp: "b1",
  nodeLlamaCpp: "3",
  vocabulary: 256,
};
const codesOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** An engine with a token a character, that answers out of a function. */
function engineSaying(
  answer: (request: GenerateRequest) => Partial<Generation>,
): Engine & { requests: GenerateRequest[] } {
  const requests: GenerateRequest[] = [];
  const notNeeded = (): Promise<never> => Promise.reject(new Error("not asked of a judge"));
  return {
    info,
    requests,
    tokenize: (texts) => Promise.resolve(texts.map(codesOf)),
    generate: async (request) => {
      requests.push(request);
      await Promise.resolve();
      const [prompt] = request.prompts;
      return [
        {
          id: "question",
          text: "8",
          tokens: [1],
          stopReason: "eog",
          promptTokens: prompt!.tokens.length,
          prefillMs: 1,
          decodeMs: 1,
          decodedTokens: 0,
          ...answer(request),
        },
      ];
    },
    nextTokenLogits: notNeeded,
    generateShared: notNeeded,
    shortcuts: notNeeded,
    work: notNeeded,
    logLikelihoods: notNeeded,
    logLikelihoodsShared: notNeeded,
    peakMemory: notNeeded,
    close: () => Promise.resolve(),
  };
}

const judgeOn = (engine: Engine, more: Partial<LocalJudgeOptions> = {}): JudgeModel =>
  localJudge({
    engine,
    format: (text) => `<user>${text}</user>`,
    name: "local",
    modelSha256: "abc",
    contextSize: 512,
    ...more,
  });

describe("a local judge", () => {
  it("asks the engine one question, without any adapter", async () => {
    const engine = engineSaying(() => ({}));
    expect(await judgeOn(engine).ask("How?")).toEqual({
      text: "8",
      cut: false,
      usage: { promptTokens: 17, completionTokens: 1 },
    });
    expect(engine.requests).toEqual([
      {
        pieces: [],
        context: { sequences: 1, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" },
        prompts: [{ id: "question", tokens: codesOf("<user>How?</user>") }],
        maxTokens: 16,
        stop: [],
      },
    ]);
  });

  it("says when the limit of tokens cut the answer off", async () => {
    expect(await judgeOn(engineSaying(() => ({ stopReason: "length" }))).ask("?")).toMatchObject({ cut: true });
  });

  it("takes a question that just fits, and refuses one that does not", async () => {
    const engine = engineSaying(() => ({}));
    const longest = 512 - 16 - "<user></user>".length;
    await judgeOn(engine).ask("x".repeat(longest));
    expect(engine.requests[0]?.context.contextSize).toBeGreaterThanOrEqual(513);
    const error = await failureOf(JudgeError, () => judgeOn(engine).ask("x".repeat(longest + 1)));
    expect(error).toMatchObject({ kind: "too-long", judge: "local" });
    expect(error.message).toContain("found 497 tokens and 16 for the answer, expected at most 512");
  });

  it("turns the engine's errors into its own: a crash ends it, another error does not", async () => {
    const failing = (error: Error): JudgeModel =>
      judgeOn(
        engineSaying(() => {
          throw error;
        }),
      );
    const crash = new EngineCrashError({ what: "the engine's process ended" }, "SIGABRT", "");
    expect(await failureOf(JudgeError, () => failing(crash).ask("?"))).toMatchObject({
      kind: "unreachable",
      isFinal: true,
      cause: crash,
    });
    const odd = new EngineError({ what: "odd tokens", fix: "Try others." });
    const error = await failureOf(JudgeError, () => failing(odd).ask("?"));
    expect(error).toMatchObject({ kind: "server-error", isFinal: false });
    expect(error.message).toBe("the judge local failed: odd tokens. Try others.");
    await expect(failing(new RangeError("a bug")).ask("?")).rejects.toThrow(RangeError);
  });

  it("is stopped by a signal: at once before a question, and when the engine is closed during one", async () => {
    const controller = new AbortController();
    const engine = engineSaying(() => {
      controller.abort();
      throw new EngineCrashError({ what: "the engine was closed" }, undefined, "");
    });
    await failureOf(InterruptedError, () => judgeOn(engine).ask("?", controller.signal));
    await failureOf(InterruptedError, () => judgeOn(engine).ask("?", controller.signal));
    expect(engine.requests).toHaveLength(1);
  });

  it("is another judge with another model, template, length or engine", () => {
    const engine = engineSaying(() => ({}));
    const others = [
      judgeOn(engine),
      judgeOn(engine, { modelSha256: "def" }),
      judgeOn(engine, { format: (text) => text }),
      judgeOn(engine, { maxTokens: 500 }),
      judgeOn({ ...engine, info: { ...engine.info, llamaCpp: "another" } }),
    ].map(({ identity }) => JSON.stringify(identity));
    expect(new Set(others).size).toBe(5);
    expect(JSON.stringify(judgeOn(engine, { name: "other" }).identity)).toBe(others[0]);
  });

  it("answers the same twice on a real engine", async () => {
    const modelPath = await writeTinyModel(folder.path, "tiny.gguf", { architecture: "llama" });
    const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const judge = judgeOn(engine);
      const reply = await judge.ask("How good is it?");
      expect(reply.text.length).toBeGreaterThan(0);
      expect(await judge.ask("How good is it?")).toEqual(reply);
    } finally {
      await engine.close();
    }
  });
});
