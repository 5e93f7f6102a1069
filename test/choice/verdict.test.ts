import { describe, expect, it } from "vitest";
import { confirm, type Confirmation } from "../../src/choice/confirm.js";
import { verdict, type Verdict } from "../../src/choice/verdict.js";
import { adjustedStudent, tangoWithoutLosses } from "../support/closed-forms.js";
import { candidateAt, scoredAt } from "../support/scored.js";

type Values = Readonly<Record<string, readonly number[]>>;

const SAMPLES = 40;
const all = (value: number): number[] => Array.from({ length: SAMPLES }, () => value);
/** 1 for the first so many samples. */
const first = (count: number): number[] => all(0).map((_, i) => (i < count ? 1 : 0));

interface Circumstances {
  readonly part?: Confirmation["part"];
  readonly rule?: string;
  readonly reasons?: readonly string[];
  readonly corrected?: Confirmation["corrected"];
}

function verdictOf(
  boundary: number,
  values: { chosen: Values; full: Values; base: Values },
  { part = "holdout", rule = "best", reasons = [], corrected }: Circumstances = {},
): Verdict {
  const scored = {
    chosen: scoredAt(boundary, values.chosen),
    full: scoredAt(4, values.full),
    base: scoredAt(0, values.base),
  };
  return verdict({
    chosen: candidateAt(boundary),
    full: candidateAt(4),
    layerCount: 4,
    primary: "contains",
    rule,
    reasons,
    confirmation: { ...confirm(part, scored, 1), ...(corrected === undefined ? {} : { corrected }) },
  });
}

/** An interval as sentences have it. */
function range({ low, high }: { low: number; high: number }): string {
  return [low, high].map((end) => `${end > 0 ? "+" : ""}${end.toFixed(1)}`).join(" to ");
}

/** Of 40 samples that are all the same on both sides: +-z^2 / (40 + z^2). */
const NO_CHANGE = range(tangoWithoutLosses(0, SAMPLES));
/** Of 40 samples that are all won. */
const ALL_WON = range(tangoWithoutLosses(SAMPLES, SAMPLES));

const base = { em: all(0), contains: all(0) };
const good = { em: all(1), contains: all(1) };

describe("a boundary below the full adapter", () => {
  it("that the holdout cannot tell from it is trimmed to, with the loss that is not ruled out", () => {
    const { kind, sentences } = verdictOf(3, {
      chosen: { em: first(20), contains: first(30) },
      full: { em: first(30), contains: first(30) },
      base,
    });
    expect(kind).toBe("trim");
    expect(sentences).toHaveLength(4);
    expect(sentences[0]).toBe(
      "Keep the adapter in layers 0 to 2 and drop it above (K=3 of 4): 25 % of its tensors' bytes go.",
    );
    expect(sentences[1]).toBe(
      `On 40 holdout samples: contains 75.0, against 75.0 for the full adapter (0.0, 95 % interval ${NO_CHANGE}) ` +
        `and 0.0 for the base (+75.0, 95 % interval ${range(tangoWithoutLosses(30, SAMPLES))}).`,
    );
    const unseen = tangoWithoutLosses(0, SAMPLES).high.toFixed(1);
    expect(sentences[2]).toMatch(
      new RegExp(
        `^No difference to the full adapter that 40 samples can show; a loss of up to ${unseen} points is not ruled out\\. ` +
          "A true difference of \\d+\\.\\d points in contains would have been found four times in five\\.$",
      ),
    );
    const lost = tangoWithoutLosses(10, SAMPLES);
    const loss = range({ low: -lost.high, high: -lost.low });
    expect(sentences[3]).toBe(`Against the full adapter, EM falls by 25.0 (${loss}).`);
  });

  it("of 1 is layer 0 alone", () => {
    const { sentences } = verdictOf(1, { chosen: good, full: good, base });
    expect(sentences[0]).toContain(
      "Keep the adapter in layer 0 and drop it above (K=1 of 4): 75 % of its tensors' bytes go.",
    );
    expect(sentences[3]).toBe(`Against the full adapter, EM stays the same (${NO_CHANGE}).`);
  });

  it("that is better on the holdout is confirmed", () => {
    const { kind, sentences } = verdictOf(2, { chosen: good, full: { em: all(0.5), contains: first(10) }, base });
    expect(kind).toBe("trim");
    expect(sentences[2]).toBe("The holdout confirms it: better than the full adapter.");
    const gain = range(adjustedStudent(all(0.5)));
    expect(sentences[3]).toBe(`Against the full adapter, EM rises by 50.0 (${gain}).`);
  });

  it("that is worse on the holdout is contradicted", () => {
    const { sentences } = verdictOf(2, { chosen: { em: all(1), contains: first(10) }, full: good, base });
    expect(sentences[2]).toBe(
      "The holdout contradicts the choice: it is worse than the full adapter. Keep everything.",
    );
  });

  it("without a holdout is in-sample and confirmed by nothing", () => {
    const { sentences } = verdictOf(
      2,
      { chosen: good, full: { em: all(1), contains: first(10) }, base },
      { part: "selection" },
    );
    expect(sentences[1]).toMatch(
      /^In-sample \(no holdout, so this flatters the choice\), on 40 samples: contains 100\.0/,
    );
    expect(sentences[2]).toBe(
      "Better than the full adapter on the samples that chose it; only a holdout could confirm that.",
    );
    expect(sentences.join(" ")).not.toContain("holdout confirms");
  });
});

describe("the ends", () => {
  it("K = L: no boundary helps", () => {
    const { kind, sentences } = verdictOf(4, { chosen: good, full: good, base });
    expect(kind).toBe("keep-everything");
    expect(sentences).toEqual([
      "No boundary helps: keep everything (K=4).",
      `On 40 holdout samples: contains 100.0 for the full adapter, 0.0 for the base (+100.0, 95 % interval ${ALL_WON}).`,
      `Against the base, EM rises by 100.0 (${ALL_WON}).`,
    ]);
  });

  it("K = 0: the adapter does not help", () => {
    const { kind, sentences } = verdictOf(0, { chosen: base, full: base, base });
    expect(kind).toBe("adapter-does-not-help");
    expect(sentences[0]).toBe(
      "The adapter does not help at all: no boundary scored higher than the base model. Use the base model without it.",
    );
    expect(sentences[1]).toBe(
      `On 40 holdout samples: contains 0.0 for the base, 0.0 for the full adapter (0.0, 95 % interval ${NO_CHANGE}).`,
    );
    expect(sentences[2]).toBe(`Against the full adapter, EM stays the same (${NO_CHANGE}).`);
  });

  it("K = 0 although the holdout likes the full adapter is contradicted", () => {
    const { sentences } = verdictOf(0, { chosen: base, full: good, base });
    expect(sentences[1]).toContain(
      "100.0 for the full adapter. The holdout contradicts that: there the full adapter is better.",
    );
  });

  it("no second metric, no sentence about it", () => {
    const { sentences } = verdictOf(4, {
      chosen: { contains: all(1) },
      full: { contains: all(1) },
      base: { contains: all(0) },
    });
    expect(sentences).toHaveLength(2);
  });
});

describe("by rules that do not go for the highest score", () => {
  const reasons = ["K=3 is the smallest that is no worse.", "Not eligible: K=1."];

  it("the rule's reasons follow the headline, whatever was chosen", () => {
    for (const boundary of [0, 3, 4]) {
      const { sentences } = verdictOf(boundary, { chosen: good, full: good, base }, { rule: "no-worse", reasons });
      expect(sentences.slice(1, 3)).toEqual(reasons);
      expect(sentences[3]).toMatch(/^On 40 holdout samples: contains /);
    }
  });

  it("K = L says that nothing smaller was shown to be as good, not that nothing else helps", () => {
    const { kind, sentences } = verdictOf(4, { chosen: good, full: good, base }, { rule: "no-worse" });
    expect(kind).toBe("keep-everything");
    expect(sentences[0]).toBe("No smaller boundary is shown to be as good: keep everything (K=4).");
    const other = verdictOf(4, { chosen: good, full: good, base }, { rule: "one-se" });
    expect(other.sentences[0]).toBe("No boundary helps: keep everything (K=4).");
  });

  it("K = 0 says that the base is good enough, not that the adapter is useless", () => {
    const { kind, sentences } = verdictOf(0, { chosen: base, full: good, base }, { rule: "no-worse" });
    expect(kind).toBe("adapter-does-not-help");
    expect(sentences[0]).toBe(
      "The base model without the adapter is good enough by this rule: drop the adapter (K=0).",
    );
  });
});

describe("without a holdout", () => {
  const values = { chosen: good, full: { em: all(1), contains: first(10) }, base };

  it("cross-validation is named as what it is, in the numbers and in the trust", () => {
    const { sentences } = verdictOf(2, values, { part: "folds" });
    expect(sentences[1]).toMatch(
      /^By cross-validation over 40 samples, each answered by the choice of the other folds: contains 100\.0, against/,
    );
    expect(sentences[2]).toBe("Cross-validation confirms it: better than the full adapter.");
    const worse = verdictOf(2, { ...values, chosen: values.full, full: good }, { part: "folds" });
    expect(worse.sentences[2]).toBe(
      "Cross-validation contradicts the choice: it is worse than the full adapter. Keep everything.",
    );
  });

  it("the ends of cross-validation tell what the folds chose, which is neither base nor full", () => {
    const half = { em: all(1), contains: first(20) };
    for (const boundary of [0, 4]) {
      const { sentences } = verdictOf(boundary, { chosen: half, full: good, base }, { part: "folds" });
      expect(sentences[1]).toMatch(
        /: contains 50\.0, against 100\.0 for the full adapter \(-50\.0, .*\) and 0\.0 for the base \(\+50\.0, .*\)\.$/,
      );
      expect(sentences[2]).toBe(
        "Cross-validation contradicts the choice: it is worse than the full adapter. Keep everything.",
      );
    }
  });

  it("no holdout contradicts K = 0", () => {
    const { sentences } = verdictOf(0, { chosen: base, full: good, base }, { part: "selection" });
    expect(sentences[1]).toMatch(/100\.0 for the full adapter\. .*contradict that: .*the full adapter is better\.$/);
    expect(sentences.join("\n")).not.toContain("The holdout");
  });

  it("an in-sample gain is followed by what is left of it", () => {
    const corrected = { difference: -1.25, optimism: 76.25, method: "bootstrap" };
    const { sentences } = verdictOf(2, values, { part: "selection", corrected });
    expect(sentences[3]).toBe(
      "Corrected for having been picked, contains differs from the full adapter's by -1.3 points.",
    );
    expect(sentences[4]).toMatch(/^Against the full adapter, EM stays the same/);
  });

  it("a choice that loses even on its own samples is not to be followed", () => {
    const { sentences } = verdictOf(2, { ...values, chosen: values.full, full: good }, { part: "selection" });
    expect(sentences[2]).toBe("It is worse than the full adapter even on the samples that chose it: keep everything.");
  });
});

it("a primary metric that was not confirmed is a mistake of the caller", () => {
  const confirmation = confirm(
    "holdout",
    { chosen: scoredAt(2, base), full: scoredAt(4, base), base: scoredAt(0, base) },
    1,
  );
  const settings = { layerCount: 4, primary: "f1", rule: "best", reasons: [] } as const;
  const input = { chosen: candidateAt(2), full: candidateAt(4), confirmation, ...settings };
  expect(() => verdict(input)).toThrow("the primary metric f1 was not confirmed");
});
