import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { systemPair, votePairs, votePart } from "../../src/vote/vote-pairs.js";
import { UsageError } from "../../src/errors.js";
import { loadRun, type FinishedRun } from "../../src/run/load-run.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeVoteRun } from "../vote/vote-run.js";

const folder = temporaryFolder();
let run: FinishedRun;

beforeAll(async () => {
  await writeVoteRun(join(folder.path, "run"));
  run = await loadRun(join(folder.path, "run"));
});

describe("systemPair", () => {
  it("puts chosen before K, full and base, and a smaller K first", () => {
    expect(systemPair("full", "chosen")).toEqual(["chosen", "full"]);
    expect(systemPair("base", "full")).toEqual(["full", "base"]);
    expect(systemPair("K=20", "K=3")).toEqual(["K=3", "K=20"]);
    expect(systemPair("full", "K=3")).toEqual(["K=3", "full"]);
  });
});

describe("votePairs", () => {
  it("sets different answers side by side, and counts those that are one text", () => {
    expect(run.result.choice.boundary).toBe(4);
    expect(votePart(run)).toBe("holdout");
    const { pairs, samples, identical } = votePairs(run, ["chosen", "full"], "holdout");
    expect([samples, identical, pairs.length]).toEqual([8, 1, 7]);
    expect(pairs[2]?.texts).toEqual(["answer of 4 to 3", "answer of 6 to 3"]);
    expect(pairs[2]?.sample.id).toBe("holdout-3");
    expect(new Set(pairs.map(({ key }) => key)).size).toBe(7);
  });

  it("shows answers without thoughts, and answers that differ in thoughts alone are identical", async () => {
    const path = join(folder.path, "thoughts");
    await writeVoteRun(path, {
      answer: (boundary, sample, part) =>
        part === "selection" && boundary === 4 ? "Rome" : `<think>${boundary}</think> ${sample < 5 ? "x" : boundary}`,
    });
    const { identical, pairs } = votePairs(await loadRun(path), ["chosen", "base"], "holdout");
    expect(identical).toBe(5);
    expect(pairs.map(({ texts }) => texts)).toEqual([
      ["4", "0"],
      ["4", "0"],
      ["4", "0"],
    ]);
  });

  it("gives another key to everything else that could be judged", async () => {
    const path = join(folder.path, "other");
    const keysOf = (which: FinishedRun): string[] =>
      votePairs(which, ["chosen", "full"], "holdout").pairs.map(({ key }) => key);
    const [keys, base] = [keysOf(run), votePairs(run, ["full", "base"], "holdout")];
    expect(base.pairs.some(({ key }) => keys.includes(key))).toBe(false);
    await writeVoteRun(path);
    expect(keysOf(await loadRun(path))).toEqual(keys);
    await writeVoteRun(path, {
      sample: (i) => ({ question: i === 3 ? "Another question?" : `Where is number ${i}?` }),
    });
    const changed = keysOf(await loadRun(path));
    expect(changed.map((key, i) => key === keys[i])).toEqual([true, true, false, true, true, true, true]);
    const answer = (boundary: number, sample: number, part: string): string => {
      if (part === "selection") return boundary === 4 ? "Rome" : `Paris ${boundary}`;
      // The systems' answers to sample 2 are swapped, and one to sample 5 has another word.
      const said = sample === 2 ? 10 - boundary : boundary;
      return sample === 0 ? "alike" : `answer of ${said} to ${sample}${sample === 5 && boundary === 6 ? " now" : ""}`;
    };
    await writeVoteRun(path, { answer });
    const answered = keysOf(await loadRun(path));
    expect(answered.map((key, i) => key === keys[i])).toEqual([true, false, true, true, false, true, true]);
  });

  it("refuses two names of one candidate, and systems that did not answer", () => {
    expect(() => votePairs(run, ["chosen", "K=4"], "holdout")).toThrow(UsageError);
    expect(() => votePairs(run, ["K=3", "full"], "holdout")).toThrow("no answers of K=3 to its holdout");
    expect(votePairs(run, ["K=3", "full"], "selection").pairs).toHaveLength(6);
  });
});
