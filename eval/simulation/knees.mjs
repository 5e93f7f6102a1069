// Simulated truth curves with a known knee: how often does the knee's interval hold it? No model is needed.
//
//   node eval/simulation/knees.mjs [--trials 200] > eval/results/knees.md
import { normalQuantile } from "../../dist/statistics/distributions.js";
import { eachResample } from "../../dist/statistics/resample.js";
import { quantile } from "../../dist/statistics/bootstrap-ends.js";
import { seededGenerator } from "../../dist/statistics/random.js";
import { kneeMethods, kneeOf } from "../../dist/probe/knee.js";
import { FEWEST_FOR_INTERVAL, kneeOfToken } from "../../dist/probe/layer-curves.js";

const LAYERS = 30;
const SIZES = [12, 20, 30, 50, 100, 200];
const RESAMPLES = 200;
const POPULATION = 20_000;
const trials = process.argv[2] === "--trials" ? Number(process.argv[3]) : 200;

/**
 * Groups of samples: a share of all, the layer around which its samples rise (with a deviation), and how many layers a rise takes. `steps` and
 * `rare` are the shapes of tokens 2 to 4 and of token 1 on the real model of eval/results/probe.md.
 */
const SHAPES = {
  gradual: [{ share: 1, layer: 20, deviation: 3, width: 2.5 }],
  steep: [{ share: 1, layer: 22, deviation: 1, width: 0.7 }],
  late: [{ share: 1, layer: 28.5, deviation: 0.7, width: 0.5 }],
  early: [{ share: 1, layer: 12, deviation: 3, width: 2 }],
  steps: [
    { share: 0.15, layer: 17, deviation: 0.7, width: 0.4 },
    { share: 0.2, layer: 22.5, deviation: 0.8, width: 0.5 },
    { share: 0.2, layer: 25.5, deviation: 1, width: 1 },
    { share: 0.45, layer: 28.6, deviation: 0.2, width: 0.2 },
  ],
  rare: [
    { share: 0.06, layer: 27.4, deviation: 0.4, width: 0.2 },
    { share: 0.94, layer: 28.6, deviation: 0.2, width: 0.15 },
  ],
};

/** Draws readings of one token each. */
function draw(groups, count, random) {
  return Array.from({ length: count }, () => {
    let left = random.uniform();
    const group = groups.find(({ share }) => (left -= share) < 0) ?? groups.at(-1);
    const highest = 1 / (1 + Math.exp(-(0.4 + 2 * random.normal())));
    const layer = group.layer + group.deviation * random.normal();
    const width = group.width * Math.exp(0.4 * random.normal());
    const floor = 0.02 * random.uniform();
    let wobble = 0;
    const truth = Float64Array.from({ length: LAYERS }, (_, i) => {
      wobble = 0.7 * wobble + 0.35 * random.normal();
      return floor + (highest - floor) / (1 + Math.exp(-((i - layer) / width + wobble)));
    });
    return { layers: LAYERS, tokens: 1, truth };
  });
}

function meanOf(readings, counts, total) {
  const mean = new Float64Array(LAYERS);
  readings.forEach(({ truth }, i) => {
    const count = counts?.[i] ?? 1;
    if (count > 0) truth.forEach((value, layer) => (mean[layer] += (count * value) / total));
  });
  return mean;
}

/** What was done before: the middle 95 % of the knees of resamples of as many samples. */
function percentileEnds(readings, method, seed) {
  const knees = [];
  eachResample(readings.length, { seed, resamples: RESAMPLES }, ({ counts, total }) => {
    const knee = kneeOf(meanOf(readings, counts, total), method);
    if (knee !== undefined) knees.push(knee);
  });
  const sorted = Float64Array.from(knees).sort();
  return sorted.length > 0 ? { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) } : undefined;
}

function randomOf(seed) {
  const generator = seededGenerator(seed);
  const uniform = () => ((generator.unsafeNext() >>> 0) + 0.5) / 2 ** 32;
  return { uniform, normal: () => normalQuantile(uniform()) };
}

const rows = [];
const worst = new Map();
for (const [shape, groups] of Object.entries(SHAPES)) {
  const population = draw(groups, POPULATION, randomOf(1));
  for (const method of kneeMethods) {
    const truth = kneeOf(meanOf(population, undefined, POPULATION), method);
    for (const samples of SIZES) {
      const random = randomOf(samples);
      const made = Array.from({ length: trials }, (_, seed) => {
        const readings = draw(groups, samples, random);
        const knee = kneeOfToken(readings, 0, method, { seed, resamples: RESAMPLES });
        return { before: percentileEnds(readings, method, seed), now: knee?.interval };
      });
      const cells = ["before", "now"].map((which) => {
        const ends = made.flatMap((one) => one[which] ?? []);
        if (ends.length === 0) return "no interval";
        const held = ends.filter(({ low, high }) => low <= truth && truth <= high).length;
        const width = ends.reduce((sum, { low, high }) => sum + high - low + 1, 0) / ends.length;
        const coverage = (100 * held) / ends.length;
        const key = `${which} ${samples}`;
        worst.set(key, Math.min(worst.get(key) ?? 100, coverage));
        return `${coverage.toFixed(0)} % (${width.toFixed(1)})`;
      });
      rows.push([shape, method, truth, samples, ...cells]);
    }
  }
  process.stderr.write(`${shape}\n`);
}

const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, body) => [row(head), row(head.map(() => "---")), ...body.map(row), ""];
process.stdout.write(
  [
    "# The knee's interval, simulated",
    "",
    "```",
    `node eval/simulation/knees.mjs --trials ${trials} > eval/results/knees.md`,
    "```",
    "",
    `Made by the command above: ${trials} sets of samples for each row, ${RESAMPLES} resamples each, ${LAYERS} layers. Samples rise at layers of their own to`,
    "heights of their own. *Gradual*, *steep*, *late* and *early* curves rise once. In *steps* four groups of samples rise one after the other, as tokens 2 to 4 of the real",
    "adapter in [probe.md](probe.md) do; in *rare* 6 samples in 100 rise one layer before all others and set the knee, as its token 1 does. The true knee is that of",
    `the mean of ${POPULATION} samples. Coverage of the nominal 95 % interval, and in brackets its mean width in layers. *Before*: the middle 95 % of the knees of`,
    "resamples of as many samples. *Now*: resamples of a third as many, the knee itself included, and one layer added at both ends.",
    "",
    "## Lowest coverage over shapes and methods",
    "",
    ...table(
      ["samples", "before", "now"],
      SIZES.map((samples) => [
        samples,
        ...["before", "now"].map((which) => {
          const least = worst.get(`${which} ${samples}`);
          return least === undefined ? `none (fewer than ${FEWEST_FOR_INTERVAL} samples)` : `${least.toFixed(0)} %`;
        }),
      ]),
    ),
    "## All",
    "",
    ...table(["shape", "method", "true knee", "samples", "before", "now"], rows),
  ].join("\n"),
);
