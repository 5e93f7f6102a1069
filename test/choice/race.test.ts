import { describe, expect, it } from "vitest";
import type { Score } from "../../src/metrics/metric.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";
import { chooseBoundary } from "../../src/choice/choose.js";
import { nextCall, startRace } from "../../src/choice/race.js";
import type { Drop } from "../../src/choice/race-track.js";
import type { RuleSettings } from "../../src/choice/rules.js";
import type { CandidateScores } from "../../src/choice/scores.js";
import { scoredAt } from "../support/scored.js";

type Values = readonly (readonly number[])[];

const settings = (more: Partial<RuleSettings>): RuleSettings => {
  return { rule: "no-worse", metric: "em", layerCount: 4, margin: 2, floors: [], ...more };
};

/** Right answers to 200 samples at these rates, each sample's ability shared by all candidates. */
function answersAt(rates: readonly number[], seed = 1, samples = 200): Values {
  const generator = seededGenerator(seed);
  const draws = Array.from({ length: samples }, () => uniformInt(generator, 0, 999));
  return rates.map((rate) => draws.map((draw) => (draw + uniformInt(generator, -50, 50) < 1000 * rate ? 1 : 0)));
}

interface Raced {
  readonly chosen: number;
  readonly left: number[];
  readonly dropped: readonly Drop[];
  /** Answers that each candidate gave. */
  readonly answers: number[];
}

/** Races candidates K = 0, 1, ... in blocks of 20 samples. */
function race(metrics: Readonly<Record<string, Values>>, rule: RuleSettings, error = 0.01): Raced {
  const em = metrics["em"] ?? [];
  const samples = em[0]?.length ?? 0;
  const scored = em.map((_, k): CandidateScores => {
    return scoredAt(k, Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, values[k] ?? []])));
  });
  const blocks = Array.from({ length: samples / 20 }, () => 20);
  const track = startRace(
    scored.map(({ candidate }) => candidate),
    { ...rule, blocks, error },
  );
  const answers = scored.map(() => 0);
  for (let call = nextCall(track); call !== undefined; call = nextCall(track)) {
    for (const at of call.candidates) {
      expect(track.blocks(at)).toBe(call.block);
      const part = ({
        isBinary,
        corpusValue,
        statistics,
      }: Score): Pick<Score, "isBinary" | "corpusValue" | "statistics"> => {
        return { isBinary, corpusValue, statistics: statistics.slice(20 * call.block, 20 * call.block + 20) };
      };
      track.record(at, new Map([...(scored[at]?.scores ?? [])].map(([name, whole]) => [name, part(whole)])));
      answers[at] = (answers[at] ?? 0) + 20;
    }
  }
  const left = scored.filter((_, at) => track.isFinished(at));
  const full = scored.at(-1)!;
  const chosen = chooseBoundary({ ...rule, scored: left, full }).chosen.candidate.number;
  return { chosen, left: left.map(({ candidate }) => candidate.number), dropped: track.dropped, answers };
}

const chosenInFull = (metrics: Readonly<Record<string, Values>>, rule: RuleSettings): number => {
  const scored = (metrics["em"] ?? []).map((_, k) =>
    scoredAt(k, Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, values[k] ?? []]))),
  );
  return chooseBoundary({ ...rule, scored, full: scored.at(-1)! }).chosen.candidate.number;
};

describe("a race by the highest score", () => {
  it("drops those far behind after the first block and chooses the best; full stays to the end", () => {
    const em = answersAt([0.1, 0.2, 0.5, 0.9, 0.6]);
    const { chosen, left, dropped, answers } = race({ em }, settings({ rule: "best" }));
    expect(chosen).toBe(3);
    expect(left).toEqual([3, 4]);
    expect(dropped[0]).toMatchObject({ boundary: 0, reason: "behind", samples: 20, against: 3, limit: 0 });
    expect(answers.slice(3)).toEqual([200, 200]);
    for (const { boundary, samples, reach } of dropped) {
      expect(answers[boundary]).toBe(samples);
      expect(reach).toBeLessThan(0);
    }
  });

  it("chooses what the full sweep chooses, or nearly, whatever the draw", () => {
    let same = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const em = answersAt([0.3, 0.4, 0.55, 0.62, 0.6], seed);
      if (race({ em }, settings({ rule: "best" })).chosen === chosenInFull({ em }, settings({ rule: "best" })))
        same += 1;
    }
    expect(same).toBeGreaterThan(34);
  });

  it("keeps equals to the end: nothing sets them apart", () => {
    const one = answersAt([0.5])[0]!;
    const { left, chosen } = race({ em: [one, one, one, one, one] }, settings({ rule: "best" }));
    expect(left).toEqual([0, 1, 2, 3, 4]);
    expect(chosen).toBe(0);
  });

  it("drops nobody for one who may break a floor", () => {
    const em = answersAt([0.1, 0.9, 0.6, 0.6, 0.6]);
    const f1 = answersAt([0.9, 0.1, 0.9, 0.9, 0.9], 2);
    const rule = settings({ rule: "best", floors: [{ metric: "f1", points: -5 }] });
    const { chosen, dropped } = race({ em, f1 }, rule);
    expect(dropped.find(({ boundary }) => boundary === 1)).toMatchObject({ reason: "floor", samples: 20, limit: -5 });
    expect(chosen).toBe(chosenInFull({ em, f1 }, rule));
    expect(chosen).toBeGreaterThan(1);
  });
});

describe("a race by one standard error", () => {
  it("keeps those that could set the bar, drops those outside", () => {
    const em = answersAt([0.1, 0.3, 0.6, 0.62, 0.6]);
    const rule = settings({ rule: "one-se" });
    const { chosen, dropped } = race({ em }, rule);
    expect(dropped.map(({ boundary }) => boundary)).toEqual(expect.arrayContaining([0, 1]));
    expect(chosen).toBe(chosenInFull({ em }, rule));
  });
});

describe("a race by no-worse", () => {
  it("asks nobody below the first K that fails, which has answered everything", () => {
    const em = answersAt([0.3, 0.3, 0.3, 0.3, 0.6]);
    const { chosen, left, dropped, answers } = race({ em }, settings({}));
    expect(chosen).toBe(4);
    expect(left).toEqual([3, 4]);
    expect(answers).toEqual([0, 0, 0, 200, 200]);
    expect(dropped).toEqual([0, 1, 2].map((boundary) => ({ boundary, reason: "below", samples: 0, against: 3 })));
  });

  it("takes what is sure to pass for passed, and has the chosen K answer everything", () => {
    const em = answersAt([0.2, 0.9, 0.9, 0.9, 0.5]);
    const { chosen, dropped, answers } = race({ em }, settings({}));
    expect(chosen).toBe(1);
    expect(answers[1]).toBe(200);
    const passed = dropped.filter(({ reason }) => reason === "passes");
    expect(passed.map(({ boundary }) => boundary)).toEqual([2, 3]);
    for (const { samples, reach } of passed) {
      expect(samples).toBeLessThan(200);
      expect(reach).toBeGreaterThan(-2);
    }
  });

  it("chooses exactly the full sweep's K where nothing passes early", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const em = answersAt([0.4, 0.58, 0.6, 0.61, 0.6], seed);
      const rule = settings({ margin: 8 });
      expect(race({ em }, rule, 1e-9).chosen).toBe(chosenInFull({ em }, rule));
    }
  });

  it("goes back up where the floors keep the smallest out", () => {
    const em = answersAt([0.2, 0.9, 0.9, 0.9, 0.5]);
    const f1 = answersAt([0.9, 0.1, 0.9, 0.9, 0.9], 3);
    const rule = settings({ floors: [{ metric: "f1", points: -10 }] });
    const { chosen, dropped } = race({ em, f1 }, rule);
    expect(chosen).toBe(2);
    expect(dropped.find(({ boundary }) => boundary === 1)?.reason).toBe("floor");
  });
});

describe("a race by the paper's choice", () => {
  it("asks that K and full alone", () => {
    const em = answersAt([0.2, 0.3, 0.4, 0.5, 0.6]);
    const { chosen, answers, dropped } = race({ em }, settings({ rule: "paper" }));
    expect(chosen).toBe(2);
    expect(answers).toEqual([0, 0, 200, 0, 200]);
    expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(["unneeded"]));
  });
});
