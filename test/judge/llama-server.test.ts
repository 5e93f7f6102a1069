import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JudgeCache } from "../../src/judge/cache.js";
import { endpointJudge } from "../../src/judge/endpoint.js";
import { JudgeError, type JudgeModel } from "../../src/judge/judge-model.js";
import { loadJudgePrompt } from "../../src/judge/judge-prompt.js";
import { judgePairs } from "../../src/judge/pairs.js";
import { judgeScores, type JudgeOptions } from "../../src/judge/scores.js";
import { failureOf } from "../support/failure.js";

/** Built by eval/judge/build-llama-server.sh; the model is any GGUF instruction model. */
const binary = process.env["BOUNDARY_LLAMA_SERVER"] ?? "";
const model = process.env["BOUNDARY_JUDGE_MODEL"] ?? "";
const isHere = existsSync(binary) && existsSync(model);
const why = isHere ? "" : " (skipped: set BOUNDARY_LLAMA_SERVER to its path and BOUNDARY_JUDGE_MODEL to a GGUF file)";
const KEY = "a-key-of-this-test";

const talks = [
  {
    dialogue: "Mia: Are you free on Friday?\nTom: I work late. Saturday at noon?\nMia: Fine!",
    reference: "Mia and Tom meet on Saturday at noon.",
  },
  {
    dialogue: "Sue: The printer is broken.\nMax: I call the technician.",
    reference: "Max calls someone to mend Sue's printer.",
  },
  {
    dialogue: "Leo: My bike was stolen.\nAna: Take mine until Sunday.",
    reference: "Ana lends Leo her bike, as his was stolen.",
  },
];
const samples = talks.map(({ dialogue, reference }, i) => ({
  id: `talk-${i}`,
  variables: { dialogue },
  references: [reference],
}));

describe.skipIf(!isHere)(`a real llama-server${why}`, () => {
  let server: ChildProcess;
  let baseUrl: string;
  const judgeWith = (more: Partial<Parameters<typeof endpointJudge>[0]> = {}): JudgeModel =>
    endpointJudge({ baseUrl, model: "local", apiKey: KEY, timeoutMs: 120_000, retry: { retries: 0 }, ...more });

  beforeAll(async () => {
    const port = await freePort();
    baseUrl = `http://127.0.0.1:${port}/v1`;
    const flags = ["--host", "127.0.0.1", "--threads", "1", "--ctx-size", "2048", "--parallel", "1", "--api-key", KEY];
    server = spawn(binary, ["--model", model, "--port", String(port), ...flags], { stdio: "ignore" });
    const isUp = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))?.ok ?? false;
    while (server.exitCode === null && !(await isUp())) await new Promise((resolve) => setTimeout(resolve, 200));
  }, 60_000);
  afterAll(() => {
    server.kill();
  });

  it("marks and compares, the same in a second run, which asks nothing", async () => {
    const cache = JudgeCache.inMemory();
    const options = async (kind: "score" | "pair"): Promise<JudgeOptions> => ({
      prompt: await loadJudgePrompt(kind, "summary"),
      dataPath: "",
      cache,
    });
    const predictions = samples.map((sample) => ({ sample, prediction: sample.references[0]! }));
    const pairs = samples.map((sample) => ({ sample, a: sample.references[0]!, b: "They talk about the weather." }));
    for (const asked of [3, 0]) {
      const { stats, failure } = await judgeScores([judgeWith()], predictions, await options("score"));
      console.log(`marks: ${JSON.stringify(stats)}`);
      expect(failure).toBeUndefined();
      expect(stats[0]).toMatchObject({ questions: 3, asked, failures: {}, notAsked: 0 });
      expect(stats[0]!.answered + stats[0]!.unparseable).toBe(3);
      expect(stats[0]!.promptTokens > 3 * 50).toBe(asked > 0);
      const compared = await judgePairs([judgeWith()], pairs, await options("pair"));
      console.log(`pairs: ${JSON.stringify([compared.counts, compared.stats])}`);
      expect(compared.stats[0]).toMatchObject({ questions: 6, asked: 2 * asked, failures: {} });
    }
    const fresh = await judgeScores([judgeWith()], predictions, {
      ...(await options("score")),
      cache: JudgeCache.inMemory(),
    });
    const kept = await judgeScores([judgeWith()], predictions, await options("score"));
    expect(fresh.samples).toEqual(kept.samples);
  }, 300_000);

  it("says what is wrong in words that are understood: wrong key, too long, too slow, stopped server", async () => {
    expect(await failureOf(JudgeError, () => judgeWith({ apiKey: "wrong" }).ask("?"))).toMatchObject({
      kind: "rejected",
      isFinal: true,
    });
    expect(await failureOf(JudgeError, () => judgeWith().ask("word ".repeat(5000)))).toMatchObject({
      kind: "too-long",
    });
    expect(await failureOf(JudgeError, () => judgeWith({ timeoutMs: 5 }).ask("Hello?"))).toMatchObject({
      kind: "timeout",
    });
    server.kill();
    await new Promise((resolve) => server.once("exit", resolve));
    expect(await failureOf(JudgeError, () => judgeWith().ask("?"))).toMatchObject({ kind: "unreachable" });
  }, 300_000);
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
