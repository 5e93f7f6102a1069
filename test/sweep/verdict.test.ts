import { describe, expect, it } from "vitest";
import { confirm, type Confirmation } from "../../src/sweep/confirm.js";
import { verdict, type Verdict } from "../../src/sweep/verdict.js";
import { candidateAt, scoredAt } from "../support/scored.js";

type Values = Readonly<Record<string, readonly number[]>>;

const SAMPLES = 40;
const all = (value: number): number[] => Array.from({ length: SAMPLES }, () => value);
/** 1 for the first so many samples. */
const first = (count: number): number[] => all(0).map((_, i) => (i < count ? 1 : 0));

function verdictOf(
  boundary: number,
  values: { chosen: Values; full: Values; base: Values },
  part: Confirmation["part"] = "holdout",
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
    confirmation: confirm(part, scored, 1),
  });
}

const base = { em: all(0), contains: all(0) };
const good = { em: all(1), contains: all(1) };

describe("a boundary below the full adapter", () => {
  it("that the holdout cannot tell from it is trimmed to, with the loss that is not ruled out", () => {
    const { kind, sentences } = verdictOf(3, {
      chosen: { em: first(20), contains: first(30) },
      full: { em: first(30), contains: [...first(31).slice(1), 0] },
      base,
    });
    expect(kind).toBe("trim");
    expect(sentences).toHaveLength(4);
    expect(sentences[0]).toBe(
      "Keep the adapter in layers 0 to 2 and drop it above (K=3 of 4): 25 % of its tensors' bytes go.",
    );
    expect(sentences[1]).toMatch(
      /^On 40 holdout samples: contains 75\.0, against 75\.0 for the full adapter \(0\.0, 95 % interval 0\.0 to 0\.0\) and 0\.0 for the base \(\+75\.0, 95 % interval \+\d+\.\d to \+\d+\.\d\)\.$/,
    );
    expect(sentences[2]).toMatch(
      /^No difference to the full adapter that 40 samples can show; a loss of up to \d+\.\d points/,
    );
    expect(sentences[3]).toMatch(/^Against the full adapter, EM loses 25\.0 \(-\d+\.\d to -\d+\.\d\)\.$/);
  });

  it("of 1 is layer 0 alone", () => {
    const { sentences } = verdictOf(1, { chosen: good, full: good, base });
    expect(sentences[0]).toContain(
      "Keep the adapter in layer 0 and drop it above (K=1 of 4): 75 % of its tensors' bytes go.",
    );
    expect(sentences[3]).toBe("Against the full adapter, EM stays the same (0.0 to 0.0).");
  });

  it("that is better on the holdout is confirmed", () => {
    const { kind, sentences } = verdictOf(2, { chosen: good, full: { em: all(0.5), contains: first(10) }, base });
    expect(kind).toBe("trim");
    expect(sentences[2]).toBe("The holdout confirms it: better than the full adapter.");
    expect(sentences[3]).toBe("Against the full adapter, EM gains 50.0 (+50.0 to +50.0).");
  });

  it("that is worse on the holdout is contradicted", () => {
    const { sentences } = verdictOf(2, { chosen: { em: all(1), contains: first(10) }, full: good, base });
    expect(sentences[2]).toBe(
      "The holdout contradicts the choice: it is worse than the full adapter. Keep everything.",
    );
  });

  it("without a holdout is in-sample and confirmed by nothing", () => {
    const { sentences } = verdictOf(2, { chosen: good, full: { em: all(1), contains: first(10) }, base }, "selection");
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
      "On 40 holdout samples: contains 100.0 for the full adapter, 0.0 for the base (+100.0, 95 % interval +100.0 to +100.0).",
      "Against the base, EM gains 100.0 (+100.0 to +100.0).",
    ]);
  });

  it("K = 0: the adapter does not help", () => {
    const { kind, sentences } = verdictOf(0, { chosen: base, full: base, base });
    expect(kind).toBe("adapter-does-not-help");
    expect(sentences[0]).toBe(
      "The adapter does not help at all: no boundary scored higher than the base model. Use the base model without it.",
    );
    expect(sentences[1]).toBe(
      "On 40 holdout samples: contains 0.0 for the base, 0.0 for the full adapter (0.0, 95 % interval 0.0 to 0.0).",
    );
    expect(sentences[2]).toBe("Against the full adapter, EM stays the same (0.0 to 0.0).");
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

it("a primary metric that was not confirmed is a mistake of the caller", () => {
  const confirmation = confirm(
    "holdout",
    { chosen: scoredAt(2, base), full: scoredAt(4, base), base: scoredAt(0, base) },
    1,
  );
  const input = { chosen: candidateAt(2), full: candidateAt(4), layerCount: 4, primary: "f1", confirmation };
  expect(() => verdict(input)).toThrow("the primary metric f1 was not confirmed");
});
