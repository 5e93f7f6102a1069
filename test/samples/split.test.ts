import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { SampleError, UsageError } from "../../src/errors.js";
import type { Sample } from "../../src/samples/sample.js";
import { assertDisjoint, splitSamples } from "../../src/samples/split.js";

fc.configureGlobal({ seed: 3 });

function sample(id: string, question = id): Sample {
  return { id, variables: { question }, references: ["x"] };
}

function numbered(count: number): readonly Sample[] {
  return Array.from({ length: count }, (_, index) => sample(`s${index}`));
}

describe("splitSamples", () => {
  it("puts every sample into one part, in the file's order, and none is empty", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.double({ min: 0, max: 0.99, noNaN: true }), fc.nat(), (count, fraction, seed) => {
        const samples = numbered(count);
        const { selection, holdout } = splitSamples(samples, { fraction, seed });
        const inHoldout = new Set(holdout);
        expect(selection).toEqual(samples.filter((item) => !inHoldout.has(item)));
        expect(holdout).toEqual(samples.filter((item) => inHoldout.has(item)));
        expect(holdout.length > 0).toBe(fraction > 0 && count >= 2);
        expect(selection.length > 0).toBe(count > 0);
        assertDisjoint(selection, holdout);
      }),
    );
  });

  it("holds out the share asked for, give or take the chance", () => {
    for (const fraction of [0.1, 0.5, 0.8]) {
      const { holdout } = splitSamples(numbered(4000), { fraction, seed: 7 });
      const deviation = Math.sqrt(4000 * fraction * (1 - fraction));
      expect(Math.abs(holdout.length - 4000 * fraction)).toBeLessThan(4 * deviation);
    }
  });

  it("leaves a sample in its part whatever other samples there are", () => {
    const all = numbered(80);
    const partsOf = (samples: readonly Sample[]): Map<string, boolean> => {
      const { holdout } = splitSamples(samples, { fraction: 0.4, seed: 5 });
      return new Map(samples.map((one) => [one.id, holdout.includes(one)]));
    };
    const whole = partsOf(all);
    for (const some of [all.slice(0, 20), all.slice(30), [...all].reverse(), all.filter((_, i) => i % 3 === 0)]) {
      for (const [id, isHeldOut] of partsOf(some)) expect([id, isHeldOut]).toEqual([id, whole.get(id)]);
    }
  });

  it("depends on the seed alone", () => {
    const ids = (seed: number): readonly string[] =>
      splitSamples(numbered(40), { fraction: 0.5, seed }).holdout.map(({ id }) => id);
    expect(ids(1)).toEqual(ids(1));
    expect(ids(1)).not.toEqual(ids(2));
    // Written down so that a later version cannot silently draw other samples for the same seed.
    expect(splitSamples(numbered(10), { fraction: 0.5, seed: 0 }).holdout.map(({ id }) => id)).toMatchInlineSnapshot(`
      [
        "s1",
        "s2",
        "s3",
        "s5",
        "s6",
        "s7",
        "s8",
      ]
    `);
  });

  it("draws each sample about as often as the others", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 2000; seed++) {
      for (const { id } of splitSamples(numbered(10), { fraction: 0.3, seed }).holdout) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    // 600 expected, standard deviation 20.
    for (const count of counts.values()) expect(Math.abs(count - 600)).toBeLessThan(100);
    expect(counts.size).toBe(10);
  });

  it("keeps samples of the same content in one part", () => {
    const samples = [...numbered(20), sample("again", "s3"), sample("once more", "s3")];
    for (let seed = 0; seed < 50; seed++) {
      const { selection, holdout } = splitSamples(samples, { fraction: 0.5, seed });
      assertDisjoint(selection, holdout);
      expect(selection.length + holdout.length).toBe(22);
    }
    const same = [sample("a", "q"), sample("b", "q"), sample("c", "q")];
    expect(() => splitSamples(same, { fraction: 0.5, seed: 1 })).toThrow(SampleError);
  });

  it("refuses shares and seeds out of range", () => {
    for (const fraction of [-0.1, 1, Number.NaN]) {
      expect(() => splitSamples(numbered(4), { fraction, seed: 1 })).toThrow(UsageError);
    }
    for (const seed of [-1, 0.5, 2 ** 32]) {
      expect(() => splitSamples(numbered(4), { fraction: 0.5, seed })).toThrow(UsageError);
    }
  });
});

describe("assertDisjoint", () => {
  it("refuses the same sample in both parts, and the same content under another id", () => {
    expect(() => {
      assertDisjoint([sample("a")], [sample("b"), sample("a")]);
    }).toThrow(/never the same samples.*the sample a in both/);
    expect(() => {
      assertDisjoint([sample("a", "q")], [sample("b", "q")]);
    }).toThrow(/the sample a of the selection again as b in the holdout/);
  });

  it("accepts an id that two files use for different samples", () => {
    assertDisjoint([sample("line-1", "q")], [sample("line-1", "r")]);
  });

  it("compares what a prompt makes of the samples where it is given", () => {
    const rich = (id: string, row: number): Sample => ({ ...sample(id), variables: { question: "q", row } });
    assertDisjoint([rich("a", 1)], [rich("b", 2)]);
    expect(() => {
      assertDisjoint([rich("a", 1)], [rich("b", 2)], ({ variables }) => String(variables["question"]));
    }).toThrow(SampleError);
  });

  it("does not mind the order of fields", () => {
    const left: Sample = { id: "a", variables: { question: "q", context: { x: 1, y: 2 } }, references: ["r"] };
    const right: Sample = { id: "b", variables: { context: { y: 2, x: 1 }, question: "q" }, references: ["r"] };
    expect(() => {
      assertDisjoint([left], [right]);
    }).toThrow(SampleError);
  });
});
