import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { curveChart, type CurvePoint } from "../../src/report/chart.js";

const curve = (boundaries: readonly number[], value: (boundary: number) => number): CurvePoint[] =>
  boundaries.map((boundary) => ({ boundary, value: value(boundary) }));
const range = (last: number): number[] => Array.from({ length: last + 1 }, (_, i) => i);

interface Axis {
  readonly labels: readonly number[];
  readonly line: string;
}

function axisOf(chart: string): Axis {
  const line = chart.split("\n").at(-1) ?? "";
  return { line, labels: [...line.matchAll(/\d+/g)].map(([label]) => Number(label)) };
}

describe("the chart of a curve", () => {
  it("shows the score against K, with the boundaries under their columns", () => {
    const chart = curveChart(
      curve(range(4), (k) => 10 * k),
      "em against K",
    );
    expect(chart.split("\n")).toEqual([
      "         em against K",
      "   40.0 ┼                      ╭─",
      "   36.0 ┤                    ╭─╯",
      "   32.0 ┤                 ╭──╯",
      "   28.0 ┤               ╭─╯",
      "   24.0 ┤             ╭─╯",
      "   20.0 ┤          ╭──╯",
      "   16.0 ┤        ╭─╯",
      "   12.0 ┤     ╭──╯",
      "    8.0 ┤   ╭─╯",
      "    4.0 ┤ ╭─╯",
      "    0.0 ┼─╯",
      "        0     1     2     3     4  K",
    ]);
  });

  it("has each label under the column in which the curve reaches its score", () => {
    const lines = curveChart(
      curve(range(30), (k) => (k < 10 ? 0 : 100)),
      "em",
    ).split("\n");
    const top = lines.find((line) => line.includes("100.0"))!;
    // Two columns a layer; the rise from K = 9 to K = 10 ends where K = 10 stands.
    expect(top.indexOf("╭")).toBe(lines.at(-1)!.indexOf("10"));
    expect(lines.at(-1)!.indexOf("10") - lines.at(-1)!.indexOf("0")).toBe(20);
    expect(top.trimEnd().length - 1).toBe(lines.at(-1)!.indexOf("30"));
  });

  it("shows a single point and a flat curve as they are", () => {
    const single = curveChart([{ boundary: 7, value: 62.5 }], "em");
    expect(single).toContain("62.5");
    expect(axisOf(single).labels).toEqual([7]);
    const flat = curveChart(
      curve(range(5), () => 50),
      "em",
    ).split("\n");
    expect(flat).toHaveLength(3);
    expect(flat[1]).toMatch(/^ {3}50\.0 ┼─+ *$/);
    expect(curveChart([], "em")).toBe("");
  });

  it("keeps boundaries that are far apart at their true distances, joined by a straight line", () => {
    const sparse = curveChart(
      [
        { boundary: 0, value: 0 },
        { boundary: 5, value: 50 },
        { boundary: 30, value: 50 },
      ],
      "em",
    );
    const { line, labels } = axisOf(sparse);
    expect(labels).toEqual([0, 5, 30]);
    const at = (label: string): number => line.search(new RegExp(`(?<!\\d)${label}(?!\\d)`));
    expect((at("30") - at("0")) / (at("5") - at("0"))).toBe(6);
  });

  it.each([1, 4, 12, 30, 31, 64, 65, 80, 126, 400])(
    "of %i layers is narrow, with labels that do not touch",
    (layers) => {
      const chart = curveChart(
        curve(range(layers), (k) => 100 * Math.sin(k / 9) ** 2),
        "contains against K",
      );
      for (const line of chart.split("\n")) expect(line.length).toBeLessThan(100);
      const { labels } = axisOf(chart);
      expect(labels[0]).toBe(0);
      expect(labels.at(-1)).toBe(layers);
      expect(labels.length).toBeGreaterThan(1);
    },
  );

  it("never runs labels into each other, whatever the boundaries", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 200 }), { minLength: 1, maxLength: 40 }), (some) => {
        const boundaries = [...some].sort((a, b) => a - b);
        const chart = curveChart(
          curve(boundaries, (k) => k % 7),
          "em",
        );
        const { labels, line } = axisOf(chart);
        // Two labels that touched would read as a number that is no boundary.
        expect(labels.every((label) => boundaries.includes(label))).toBe(true);
        expect(labels).toEqual([...new Set(labels)].sort((a, b) => a - b));
        expect(labels.at(-1)).toBe(boundaries.at(-1));
        expect(line.length).toBeLessThan(100);
      }),
    );
  });
});
