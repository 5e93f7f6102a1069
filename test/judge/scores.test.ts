import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { FileError, InterruptedError } from "../../src/errors.js";
import { JudgeCache } from "../../src/judge/cache.js";
import { endpointJudge } from "../../src/judge/endpoint.js";
import { JudgeError, type JudgeFailureKind } from "../../src/judge/judge-model.js";
import { judgeScores, type JudgeOptions } from "../../src/judge/scores.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { completion, deadAddress, fakeEndpoint, json, saying } from "./endpoint-server.js";
import { fakeJudge } from "./fake-judge.js";
import { predictions, sample, shortPrompt } from "./judged-samples.js";

const folder = temporaryFolder();
const options = (more: Partial<JudgeOptions> = {}): JudgeOptions => ({
  prompt: shortPrompt,
  dataPath: "data.jsonl",
  cache: JudgeCache.inMemory(),
  ...more,
});
const numberIn = (question: string): number => Number(/\d+/.exec(question)?.[0]);
const failure = (kind: JudgeFailureKind, isFinal = false): JudgeError =>
  new JudgeError({ judge: "j", kind, isFinal }, { what: `it is ${kind}`, actual: "that", fix: "Mend it." });

describe("judgeScores", () => {
  it("gives each sample the mean of the judges' marks, in the order of the samples", async () => {
    const strict = fakeJudge("strict", (question) => String(numberIn(question) % 11));
    const kind = fakeJudge("kind", () => "Score: 10");
    const judged = await judgeScores([strict, kind], predictions(30), options());
    expect(judged.judges).toEqual(["strict", "kind"]);
    expect(judged.promptSha8).toBe("0123abcd");
    expect(judged.samples.map(({ sampleId }) => sampleId)).toEqual(predictions(30).map(({ sample: { id } }) => id));
    judged.samples.forEach(({ marks, value, references }, i) => {
      expect(marks).toEqual([(i % 11) / 10, 1]);
      expect(value).toBeCloseTo(((i % 11) / 10 + 1) / 2, 12);
      expect(references).toBe(1);
    });
    expect(judged.failure).toBeUndefined();
    expect(judged.stats[0]).toEqual({
      judge: "strict",
      questions: 30,
      answered: 30,
      unparseable: 0,
      unparseableExamples: [],
      failures: {},
      notAsked: 0,
      asked: 30,
      reused: 0,
      cut: 0,
      promptTokens: 3000,
      completionTokens: 30,
      notes: [],
    });
  });

  it("counts answers that are no mark, shows some, and leaves the sample open unless every judge marked it", async () => {
    const wordy = fakeJudge("wordy", (question) =>
      numberIn(question) % 2 === 0
        ? "7"
        : `I like it ${"very ".repeat(50)}much\u001b[31m, number ${numberIn(question)}`,
    );
    const judged = await judgeScores([wordy, fakeJudge("plain", () => "9")], predictions(20), options());
    expect(judged.samples.map(({ value }) => value)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0.8 : undefined)),
    );
    expect(judged.samples[1]?.marks).toEqual([undefined, 0.9]);
    expect(judged.stats[0]).toMatchObject({ answered: 10, unparseable: 10 });
    expect(judged.stats[0]?.unparseableExamples).toHaveLength(5);
    expect(judged.stats[0]?.unparseableExamples[0]).toMatch(/^I like it very .{80,120}…$/);
    expect(judged.stats[0]?.unparseableExamples.join("")).not.toContain("\u001b");
    // A rerun would bring the same words.
    expect(judged.failure).toBeUndefined();
  });

  it("asks equal questions once, and at most so many at once of each judge", async () => {
    const judges = [fakeJudge("one", () => "5"), fakeJudge("two", () => "6")];
    const judged = await judgeScores(
      judges,
      predictions(40, (i) => `p${i % 10}`),
      options({ concurrency: 3 }),
    );
    expect(judges.map(({ questions }) => questions.length)).toEqual([10, 10]);
    expect(judges.map(({ mostAtOnce }) => mostAtOnce())).toEqual([3, 3]);
    expect(judged.stats[0]).toMatchObject({ questions: 40, answered: 40, asked: 10, reused: 30, promptTokens: 1000 });
    expect(judged.samples.every(({ value }) => value === 0.55)).toBe(true);
  });

  it("says what it cost, unless an answer came without its tokens", async () => {
    const prices = { promptPerMillion: 2, completionPerMillion: 8 };
    const items = predictions(10);
    const counted = fakeJudge("counted", () => "5", { prices });
    const uncounted = fakeJudge("uncounted", () => ({ text: "5", cut: true }), { prices });
    const { stats } = await judgeScores([counted, uncounted, fakeJudge("free", () => "5")], items, options());
    expect(stats[0]?.cost).toBeCloseTo((10 * (100 * 2 + 1 * 8)) / 1e6, 12);
    expect(stats.map((one) => "cost" in one)).toEqual([true, false, false]);
    expect(stats[1]?.cut).toBe(10);
  });

  it("reports progress for each judge", async () => {
    const seen: string[] = [];
    await judgeScores(
      [fakeJudge("one", () => "5"), fakeJudge("two", () => "5")],
      predictions(3),
      options({ onProgress: ({ judge, done, total }) => seen.push(`${judge} ${done}/${total}`) }),
    );
    for (const name of ["one", "two"]) {
      expect(seen.filter((line) => line.startsWith(name))).toEqual([1, 2, 3].map((done) => `${name} ${done}/3`));
    }
  });

  it("has nothing to ask without samples", async () => {
    expect(await judgeScores([fakeJudge("j", () => "5")], [], options())).toMatchObject({ samples: [] });
  });
});

describe("a judge that fails", () => {
  it("leaves only the questions open on which it failed", async () => {
    const refusing = fakeJudge("j", (question) => {
      if (numberIn(question) < 5) throw failure("refused");
      if (numberIn(question) < 10) throw failure("too-long");
      return "7";
    });
    const judged = await judgeScores([refusing], predictions(20), options({ concurrency: 1 }));
    expect(judged.stats[0]).toMatchObject({
      answered: 10,
      failures: { refused: 5, "too-long": 5 },
      notAsked: 0,
      asked: 20,
    });
    expect(judged.stats[0]).not.toHaveProperty("gaveUp");
    expect(judged.failure).toBeUndefined();
  });

  it("now and then is asked on, and a rerun asks what is missing", async () => {
    let isWell = false;
    const shaky = fakeJudge("j", (question) => {
      if (!isWell && numberIn(question) % 5 === 0) throw failure("timeout");
      return "7";
    });
    const cache = JudgeCache.inMemory();
    const judged = await judgeScores([shaky], predictions(20), options({ cache, concurrency: 1 }));
    expect(judged.stats[0]).toMatchObject({ answered: 16, failures: { timeout: 4 }, notAsked: 0 });
    expect(judged.failure).toMatchObject({ name: "JudgeError", kind: "timeout", exitCode: 1 });
    expect(judged.failure?.message).toBe(
      "it is timeout: found that. Mend it. 16 of 20 answers are kept, and all other results stand: run the judge again, it asks only what is missing.",
    );
    isWell = true;
    const again = await judgeScores([shaky], predictions(20), options({ cache }));
    expect(again.stats[0]).toMatchObject({ answered: 20, asked: 4, reused: 16, failures: {} });
    expect(again.failure).toBeUndefined();
  });

  it("three times in a row is given up; the other judge's marks stand", async () => {
    const dying = fakeJudge("dying", (_question, number) => {
      if (number >= 5) throw failure("unreachable");
      return "7";
    });
    const well = fakeJudge("well", () => "9");
    const judged = await judgeScores([dying, well], predictions(50), options({ concurrency: 1 }));
    expect(dying.questions).toHaveLength(8);
    expect(judged.stats[0]).toMatchObject({
      answered: 5,
      failures: { unreachable: 3 },
      notAsked: 42,
      asked: 8,
      gaveUp: { kind: "unreachable" },
    });
    expect(judged.stats[1]).toMatchObject({ answered: 50, notAsked: 0 });
    expect(judged.samples.filter(({ value }) => value !== undefined)).toHaveLength(5);
    expect(judged.samples[20]?.marks).toEqual([undefined, 0.9]);
    expect(judged.failure?.message).toContain("55 of 100 answers are kept");
  });

  it("in a way that cannot pass is given up at once; all judges that failed are named", async () => {
    const wrongKey = (name: string): ReturnType<typeof fakeJudge> =>
      fakeJudge(name, () => {
        throw failure("rejected", true);
      });
    const judges = [wrongKey("one"), fakeJudge("two", () => "5"), wrongKey("three")];
    const judged = await judgeScores(judges, predictions(50), options({ concurrency: 1 }));
    expect(judges.map(({ questions }) => questions.length)).toEqual([1, 50, 1]);
    expect(judged.failure?.message).toContain("it is rejected (questions to three are open too)");
  });

  it("with an error of ours is not taken for a judge that is down", async () => {
    const broken = fakeJudge("j", () => {
      throw new RangeError("a bug");
    });
    await expect(judgeScores([broken], predictions(3), options())).rejects.toThrow("a bug");
  });
});

describe("judgeScores through endpoints", () => {
  const quick = {
    apiKey: "sk-secret-0123456789",
    timeoutMs: 1000,
    retry: { retries: 0, firstDelayMs: 5, longestWaitMs: 100 },
  };

  it("asks nothing in a second run, and keeps neither key nor failures", async () => {
    const path = join(folder.path, "answers.jsonl");
    const endpoint = await fakeEndpoint((response, { question }) => {
      if (question.endsWith("3")) json(response, 400, { error: { message: `bad ${quick.apiKey}` } });
      else
        setTimeout(() => {
          json(response, 200, completion(question.endsWith("5") ? "hm, good" : "6"));
        }, 20);
    });
    const judge = endpointJudge({ baseUrl: endpoint.baseUrl, model: "m", ...quick });
    const run = async (): ReturnType<typeof judgeScores> => {
      const cache = await JudgeCache.open(path);
      try {
        return await judgeScores([judge], predictions(8), options({ cache }));
      } finally {
        await cache.close();
      }
    };
    const first = await run();
    expect(endpoint.requests).toHaveLength(8);
    expect(endpoint.mostAtOnce()).toBe(4);
    expect(first.stats[0]).toMatchObject({ answered: 6, unparseable: 1, failures: { rejected: 1 } });
    expect(first.failure?.message).toContain(`7 of 8 answers are kept in ${path}`);
    const second = await run();
    expect(endpoint.requests).toHaveLength(9);
    expect(second.stats[0]).toMatchObject({ answered: 6, unparseable: 1, asked: 1, reused: 7, promptTokens: 0 });
    expect(second.samples).toEqual(first.samples);
    const text = await readFile(path, "utf8");
    expect(text.trimEnd().split("\n")).toHaveLength(7);
    expect(text + inspect(first, { depth: 20 }) + inspect(second, { depth: 20 })).not.toContain(quick.apiKey);
  });

  it("goes on with the judges that are up when one is down", async () => {
    const up = await fakeEndpoint(saying("6"));
    const judges = [
      endpointJudge({ baseUrl: await deadAddress(), model: "down", ...quick }),
      endpointJudge({ baseUrl: up.baseUrl, model: "up", ...quick }),
    ];
    const judged = await judgeScores(judges, predictions(20), options());
    expect(judged.stats.map(({ answered }) => answered)).toEqual([0, 20]);
    expect(judged.stats[0]?.asked).toBeLessThan(10);
    expect(judged.failure?.message).toMatch(/^the judge down at http:.* cannot be reached.* 20 of 40 answers are kept/);
  });

  it("stops at once at a signal, and keeps what was answered", async () => {
    const controller = new AbortController();
    const endpoint = await fakeEndpoint((response, _request, number) => {
      if (number < 4) json(response, 200, completion("6"));
      else
        setTimeout(() => {
          controller.abort();
        }, 50);
    });
    const judges = ["a", "b"].map((model) => endpointJudge({ baseUrl: endpoint.baseUrl, model, ...quick }));
    const cache = JudgeCache.inMemory();
    const add: string[] = [];
    const kept = cache.add.bind(cache);
    cache.add = (...args) => {
      add.push(args[0]);
      return kept(...args);
    };
    const start = performance.now();
    const stopped = options({ cache, signal: controller.signal, concurrency: 2 });
    const error = await failureOf(InterruptedError, () => judgeScores(judges, predictions(50), stopped));
    expect(error.message).toContain("answers so far are kept");
    expect(performance.now() - start).toBeLessThan(900);
    expect(add).toHaveLength(4);
    expect(endpoint.requests.length).toBeLessThan(12);
  });

  it("ends with the file's error when the answers cannot be kept", async () => {
    const path = join(folder.path, "closed.jsonl");
    const cache = await JudgeCache.open(path);
    await cache.close();
    const judge = fakeJudge("j", () => "5");
    const closed = options({ cache, concurrency: 1 });
    const error = await failureOf(FileError, () => judgeScores([judge], predictions(50), closed));
    expect(judge.questions.length).toBeLessThan(4);
    expect(error.message).toContain(`cannot write ${path}`);
  });

  it("shows judges a long prediction whole", async () => {
    const endpoint = await fakeEndpoint(saying("1"));
    const long = "word ".repeat(20_000);
    const judge = endpointJudge({ baseUrl: endpoint.baseUrl, model: "m", ...quick });
    await judgeScores([judge], [{ sample: sample("s"), prediction: long }], options());
    expect(endpoint.requests[0]?.question).toBe(long);
  });
});
