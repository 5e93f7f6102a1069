import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JudgeCache } from "../../src/judge/cache.js";
import { JudgeError } from "../../src/judge/judge-model.js";
import { judgePairs, type JudgedPair } from "../../src/judge/pairs.js";
import type { JudgeOptions } from "../../src/judge/scores.js";
import { fakeJudge } from "./fake-judge.js";
import { sample, shortPrompt } from "./judged-samples.js";

fc.configureGlobal({ seed: 6 });

const options = (more: Partial<JudgeOptions> = {}): JudgeOptions => ({
  prompt: shortPrompt,
  dataPath: "data.jsonl",
  cache: JudgeCache.inMemory(),
  ...more,
});
const pairs = (answers: readonly (readonly [string, string])[]): JudgedPair[] =>
  answers.map(([a, b], i) => ({ sample: sample(`s${i}`), a, b }));

/** Chooses the answer of more quality where `A=good7 B=bad3` shows the two; where they are equal, the place. */
const byQuality = (question: string, place: "A" | "B" = "A"): string => {
  const [a = 0, b = 0] = [...question.matchAll(/\d+/g)].map(Number);
  if (a === b) return place;
  return a > b ? "A" : "B";
};

describe("judgePairs", () => {
  it("shows both orders, and believes a judge only where it chooses the same answer twice", async () => {
    const judge = fakeJudge("j", (question) => byQuality(question));
    const judged = await judgePairs(
      [judge],
      pairs([
        ["x9", "y2"],
        ["x1", "y2"],
        ["x5", "y5"],
        ["same", "same"],
      ]),
      options(),
    );
    expect(judge.questions.sort()).toEqual([
      "A=x1 B=y2",
      "A=x5 B=y5",
      "A=x9 B=y2",
      "A=y2 B=x1",
      "A=y2 B=x9",
      "A=y5 B=x5",
    ]);
    expect(judged.samples.map(({ verdicts, preference }) => [verdicts[0], preference])).toEqual([
      ["a", "a"],
      ["b", "b"],
      ["first", "tie"],
      ["identical", "tie"],
    ]);
    expect(judged.counts).toEqual({ a: 1, b: 1, tie: 2, identical: 1, missing: 0 });
    expect(judged.stats[0]).toMatchObject({
      questions: 6,
      answered: 6,
      verdicts: { a: 1, b: 1, first: 1, second: 0, identical: 1 },
      orderBias: 100 / 3,
    });
  });

  it("makes a tie of everything for a judge that only looks at the place", async () => {
    const answers = Array.from({ length: 10 }, (_, i) => [`x${i}`, `y${i + 1}`] as const);
    for (const [place, verdict] of [
      ["A", "first"],
      ["B", "second"],
    ] as const) {
      const judged = await judgePairs([fakeJudge("j", () => place)], pairs(answers), options());
      expect(judged.counts).toEqual({ a: 0, b: 0, tie: 10, identical: 0, missing: 0 });
      expect(judged.stats[0]?.verdicts[verdict]).toBe(10);
      expect(judged.stats[0]?.orderBias).toBe(100);
    }
  });

  it("goes by the majority of several judges", async () => {
    const good = fakeJudge("good", (question) => byQuality(question));
    const bad = fakeJudge("bad", (question) => (byQuality(question) === "A" ? "B" : "A"));
    const items = pairs([["x9", "y2"]]);
    const preference = async (...judges: ReturnType<typeof fakeJudge>[]): Promise<unknown> =>
      (await judgePairs(judges, items, options())).samples[0]?.preference;
    expect(await preference(good, good, bad)).toBe("a");
    expect(await preference(good, bad)).toBe("tie");
    expect(await preference(bad, good, bad)).toBe("b");
    expect(
      await preference(
        good,
        fakeJudge("first", () => "A"),
      ),
    ).toBe("a");
  });

  it("leaves a pair open when one of its answers is missing or no verdict", async () => {
    const judge = fakeJudge("j", (question) => {
      if (question === "A=y2 B=x9") return "Both are fine";
      if (question === "A=x1 B=y2") throw new JudgeError({ judge: "j", kind: "refused" }, { what: "no" });
      return byQuality(question);
    });
    const judged = await judgePairs(
      [judge],
      pairs([
        ["x9", "y2"],
        ["x1", "y2"],
        ["x3", "y2"],
      ]),
      options(),
    );
    expect(judged.samples.map(({ preference }) => preference)).toEqual([undefined, undefined, "a"]);
    expect(judged.counts).toEqual({ a: 1, b: 0, tie: 0, identical: 0, missing: 2 });
    expect(judged.stats[0]).toMatchObject({ questions: 6, answered: 4, unparseable: 1, failures: { refused: 1 } });
    expect(judged.failure).toBeUndefined();
  });

  it("tells of a judge that is down, and asks in a rerun what is missing", async () => {
    let isDown = true;
    const judge = fakeJudge("j", (question, number) => {
      if (isDown && number >= 3) throw new JudgeError({ judge: "j", kind: "timeout" }, { what: "late" });
      return byQuality(question);
    });
    const items = pairs(Array.from({ length: 10 }, (_, i) => [`x${i}`, `y${20 - i}`]));
    const cache = JudgeCache.inMemory();
    const judged = await judgePairs([judge], items, options({ cache, concurrency: 1 }));
    expect(judged.counts).toMatchObject({ b: 1, missing: 9 });
    expect(judged.failure?.message).toContain("3 of 20 answers are kept");
    isDown = false;
    const again = await judgePairs([judge], items, options({ cache }));
    expect(again.counts).toMatchObject({ b: 10, missing: 0 });
    expect(again.stats[0]).toMatchObject({ asked: 17, reused: 3 });
  });

  it("gives the mirror image when the candidates are swapped", async () => {
    const quality = fc.integer({ min: 0, max: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(quality, quality), { maxLength: 8 }),
        fc.constantFrom("A" as const, "B" as const),
        async (list, place) => {
          const items = pairs(list.map(([x, y]) => [`q${x}`, `q${y}`]));
          const swapped = items.map(({ sample, a, b }) => ({ sample, a: b, b: a }));
          const judge = fakeJudge("j", (question) => byQuality(question, place));
          const [one, other] = [
            await judgePairs([judge], items, options()),
            await judgePairs([judge], swapped, options()),
          ];
          expect(other.counts).toEqual({ ...one.counts, a: one.counts.b, b: one.counts.a });
          list.forEach(([x, y], i) => {
            expect(one.samples[i]?.preference).toBe(x === y ? "tie" : x > y ? "a" : "b");
          });
        },
      ),
      { numRuns: 30 },
    );
  });
});
