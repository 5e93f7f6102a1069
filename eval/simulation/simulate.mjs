// Simulated sweeps with a known truth: do the rules and intervals keep what they promise? No model is needed.
//
//   node eval/simulation/simulate.mjs [--sweeps 1000] > eval/results/simulation.md
import { applyRule, ruleNames } from "../../dist/choice/rules.js";
import { chooseBoundary, evidenceOf } from "../../dist/choice/choose.js";
import { crossValidate } from "../../dist/choice/cross-validate.js";
import { inSampleEstimate } from "../../dist/choice/winners-curse.js";
import { differenceInterval } from "../../dist/statistics/difference.js";
import { normalQuantile } from "../../dist/statistics/distributions.js";
import { scoreInterval } from "../../dist/statistics/interval.js";
import { wilsonEnds } from "../../dist/statistics/proportions.js";
import { seededGenerator } from "../../dist/statistics/random.js";
import { eachResample } from "../../dist/statistics/resample.js";
import * as experiments from "./experiments.mjs";

const { USUAL, NEARLY_EQUAL, flat, peaked } = experiments;
const product = {
  applyRule,
  chooseBoundary,
  crossValidate,
  differenceInterval,
  eachResample,
  evidenceOf,
  inSampleEstimate,
  normalQuantile,
  ruleNames,
  scoreInterval,
  seededGenerator,
  wilsonEnds,
};
const sweeps = process.argv[2] === "--sweeps" ? Number(process.argv[3]) : 1000;
const SEEDS = [1, 2, 3];
const SIZES = [100, 200, 400];
const RATES = [0.2, 0.3, 0.5, 0.7, 0.8];

const started = performance.now();
const lines = [];
const say = (...text) => lines.push(...text);
const fixed = (value, digits = 1) => (Number.isNaN(value) ? "-" : value.toFixed(digits).replace(/^-(0\.0+)$/, "$1"));
const signed = (value, digits = 2) => (value > 0 ? "+" : "") + fixed(value, digits);
const row = (...cells) => `| ${cells.join(" | ")} |`;
const table = (head, rows) =>
  say(row(...head), row(...head.map(() => "---")), ...rows.map((cells) => row(...cells)), "");
/** One value for each seed. */
const seeds = (of, digits) => SEEDS.map((seed) => fixed(of(seed), digits)).join(" / ");
const done = (what) => process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}\n`);

say(
  "# The statistics, simulated",
  "",
  "```",
  "node eval/simulation/simulate.mjs > eval/results/simulation.md",
  "```",
  "",
  `Made by the command above, with ${sweeps} sweeps of 32 candidates (K = 0 to 31) for each number and seed unless it says otherwise. Where a cell has`,
  `three numbers they come from the seeds ${SEEDS.join(", ")}. A rate of 5 % out of ${sweeps} sweeps has a standard error of ${fixed(100 * Math.sqrt((0.05 * 0.95) / sweeps))} points.`,
  "",
  "The model (`latent-sweeps.mjs`): a sample has an ability that all candidates share, a candidate adds a deviation that is alike between",
  "neighbours, and the answer is right where the sum exceeds the candidate's threshold; so true rates are known exactly. *Usual*: 70 % of the",
  "variance is shared and deviations correlate by 0.9 from K to K+1, so that about 8 in 100 samples differ between neighbours.",
  "*Nearly equal*: 95 % and 0.995, about 1 in 100. *Partial credit*: values from 0 to 1, many of them 0 or 1, as token F1.",
  "",
);

say("## (a) Nothing is better: false claims of an improvement", "");
say(
  "All candidates are right in half of the samples. `best` chooses; a claim is a 95 % interval of chosen minus full above 0. The target for the",
  "holdout is at most 6.5 %; its nominal rate is 2.5 %.",
  "",
);
{
  const rows = [];
  for (const samples of [50, 100, 400]) {
    const made = SEEDS.map((seed) => experiments.falseImprovements(product, { sweeps, samples, seed: 100 + seed }));
    const each = (part) => made.map((one) => fixed(one[part])).join(" / ");
    rows.push([samples, each("selection"), each("holdout")]);
  }
  table(["samples in each part", "claimed on the selection itself, %", "claimed on the holdout, %"], rows);
}
done("a");

say("## (b) Everything below L loses exactly the margin: false acceptances by `no-worse`", "");
say("The margin is 2 points; the target is at most 6.5 %, the nominal rate 2.5 %.", "");
{
  const rows = [];
  for (const samples of [100, 250, 400]) {
    const rate = (more) =>
      seeds((seed) => experiments.falseAcceptances(product, { sweeps, samples, seed: 200 + seed, ...more }));
    rows.push([
      samples,
      rate({ alike: USUAL }),
      rate({ alike: NEARLY_EQUAL }),
      rate({ alike: USUAL, partial: true }),
      rate({ alike: NEARLY_EQUAL, partial: true }),
    ]);
  }
  table(
    ["samples", "right or wrong, usual, %", "nearly equal, %", "partial credit, usual, %", "nearly equal, %"],
    rows,
  );
}
done("b");

say("### What `no-worse` needs", "");
say(
  "From K=16 up nothing is lost, below it much. How often `no-worse` trims at all, and the mean K where it does: its promise costs samples, and",
  "with few of them it keeps everything.",
  "",
);
{
  const rows = [];
  for (const [name, alike] of [
    ["usual", USUAL],
    ["nearly equal", NEARLY_EQUAL],
  ]) {
    for (const samples of [50, 100, 200, 400, 1000]) {
      const made = experiments.trimming(product, { sweeps: 300, samples, seed: 250, margins: [2, 3, 5], alike });
      const cells = made.map(({ trimmed, meanBoundary }) => `${fixed(trimmed, 0)} % (K ${fixed(meanBoundary)})`);
      rows.push([name, samples, ...cells]);
    }
  }
  table(["neighbours", "samples", "margin 2", "margin 3", "margin 5"], rows);
}
done("b2");

say("## (c) Coverage of 95 % intervals", "");
say(
  "Target: 93 to 97 % from 100 samples up. Worst and best over the rates 20, 30, 50, 70 and 80 %; each rate below.",
  "",
);
const spread = (values) => `${fixed(Math.min(...values))} to ${fixed(Math.max(...values))}`;
say("### A share of zeros and ones (exact, three seeds of 2,000 resamples)", "");
{
  const rows = [];
  for (const samples of SIZES) {
    for (const method of ["percentile", "bca", "wilson"]) {
      const bySeed = (method === "wilson" ? [1] : SEEDS).map((seed) => {
        return experiments.coverageOfShare(product, { samples, seed, rates: RATES, method });
      });
      const each = RATES.map((_, i) => spread(bySeed.map((one) => one[i])).replace(/^(\S+) to \1$/, "$1"));
      rows.push([
        samples,
        method === "wilson" ? "**Wilson score**" : method === "bca" ? "BCa" : method,
        ...each,
        spread(bySeed.flat()),
      ]);
    }
  }
  table(["samples", "method", ...RATES.map((rate) => `${100 * rate} %`), "all"], rows);
}
done("c: shares");
say("### A mean of partial credit (1,000 trials each, 500 resamples)", "");
{
  const rows = [];
  for (const samples of SIZES) {
    const methods = ["percentile", "bca"];
    const made = [0.05, 0.2, 0.5, 0.8].map((rate, i) => {
      return experiments.coverageOfMean(product, {
        trials: 1000,
        samples,
        seed: 310 + i,
        rate,
        methods,
        resamples: 500,
      });
    });
    for (const method of methods)
      rows.push([samples, method === "bca" ? "**BCa**" : method, ...made.map((one) => fixed(one[method]))]);
  }
  table(["samples", "method", "5 % (very skewed)", "20 %", "50 %", "80 %"], rows);
}
done("c: means");
const KINDS = [
  ["usual", USUAL],
  ["nearly equal", NEARLY_EQUAL],
];
/** Coverage in every cell: rates by true differences. */
function differences({ rates, samples, alike, ...more }) {
  return rates.flatMap((rate, i) => {
    return [0, 3].map((gain) => {
      const seed = 350 + 10 * i + gain;
      return experiments.coverageOfDifference(product, { samples, seed, rate, gain, alike, ...more });
    });
  });
}
say("### A difference of paired shares", "");
say(
  "Worst and best of ten cells: the five rates, true differences of 0 and 3 points; 2,000 trials each, 1,000 resamples.",
  "",
);
{
  const methods = ["percentile", "bca", "analytic"];
  const rows = [];
  for (const [kind, alike] of KINDS) {
    for (const samples of SIZES) {
      const made = differences({ rates: RATES, samples, alike, methods, trials: 2000, cache: new Map() });
      rows.push([kind, samples, ...methods.map((method) => spread(made.map((one) => one[method])))]);
    }
  }
  table(["neighbours", "samples", "percentile", "BCa", "**Tango score, McNemar**"], rows);
}
say(
  "The last interval again, exact, by the share of samples that differ and the true difference (worst and best over 0, 1, 2, 3 and 5 points):",
  "",
);
{
  const discordants = [0.03, 0.06, 0.12, 0.2, 0.3];
  const rows = SIZES.map((samples) => {
    const cache = new Map();
    const cells = discordants.map((discordant) => {
      const possible = [0, 0.01, 0.02, 0.03, 0.05].filter((difference) => difference <= discordant);
      return spread(
        possible.map((difference) =>
          experiments.exactCoverageOfDifference(product, { samples, discordant, difference, cache }),
        ),
      );
    });
    return [samples, ...cells];
  });
  table(["samples", ...discordants.map((share) => `${100 * share} % differ`)], rows);
}
done("c: differences of shares");
say("### A difference of paired means of partial credit", "");
say(
  "Six cells: rates of 20, 50 and 80 %, true differences of 0 and about 3 points. The bootstraps (200 trials for each cell, 500 resamples) over",
  "all cells together, the closed form (4,000 trials) as worst and best cell.",
  "",
);
{
  const rows = [];
  for (const [kind, alike] of KINDS) {
    for (const samples of SIZES) {
      const shape = { rates: [0.2, 0.5, 0.8], samples, alike, partial: true };
      const resampled = differences({ ...shape, methods: ["percentile", "bca"], trials: 200, resamples: 500 });
      const closed = differences({ ...shape, methods: ["analytic"], trials: 4000 });
      const pooled = (method) => fixed(resampled.reduce((sum, one) => sum + one[method], 0) / resampled.length);
      rows.push([kind, samples, pooled("percentile"), pooled("bca"), spread(closed.map(({ analytic }) => analytic))]);
    }
  }
  table(["neighbours", "samples", "percentile", "BCa", "**adjusted Student**"], rows);
}
done("c: differences of means");

say("### The score of the chosen candidate, on the samples that chose it", "");
say(
  "Mean error (root mean square in brackets) of the score of what `best` chose, in points: as measured; minus the bootstrap's estimate of the",
  "optimism; by the leave-one-out bootstrap, which the product reports. 200 sweeps, 100 resamples.",
  "",
);
{
  const rows = [];
  for (const [name, rates] of [
    ["all equal", flat(0.5)],
    ["rising, peak at K=24", peaked(0.03)],
  ]) {
    for (const samples of [50, 100, 400]) {
      const errors = experiments.winnersCurse(product, { sweeps: 200, samples, seed: 400 + samples, rates });
      const cell = ({ mean, rootMeanSquare }) => `${signed(mean)} (${fixed(rootMeanSquare)})`;
      rows.push([name, samples, cell(errors.apparent), cell(errors.optimism), cell(errors.leaveOneOut)]);
    }
  }
  table(["truth", "samples", "as measured", "optimism subtracted", "**leave-one-out bootstrap**"], rows);
}
done("c: winner's curse");

say("## (d) One K is 3 points better: what each rule picks", "");
say(
  "True rates rise from 20 % to 50 % around K=20; K=24 has 53 %. *Worth* is the true score of what was picked minus the full adapter's, in points.",
  "`one-se` takes the standard error of the paired difference; Breiman's own, of the best score, is shown for comparison.",
  "",
);
{
  const rows = [];
  for (const samples of [50, 100, 400]) {
    for (const one of experiments.picks(product, { sweeps, samples, seed: 500 + samples })) {
      rows.push([
        samples,
        one.rule,
        fixed(one.peak),
        fixed(one.full),
        fixed(one.meanBoundary),
        signed(one.worth),
        signed(one.worst, 1),
      ]);
    }
  }
  table(["samples", "rule", "picks K=24, %", "keeps all, %", "mean K", "mean worth", "worst"], rows);
}
done("d");

say("## (e) Nested cross-validation or a holdout of one half", "");
say(
  "So many samples in all; claims that the choice of `best` is better than the full adapter (95 % interval above 0), in %. Five folds.",
  "The folds' intervals are approximate: they lie above 0 more often than the nominal 2.5 % where nothing is better.",
  "",
);
{
  const rows = [];
  const better = (gain) => flat(0.5).map((rate, k) => (k >= 16 && k <= 24 ? rate + gain : rate));
  for (const [name, rates, count, of] of [
    ["nothing is better", flat(0.5), sweeps, SEEDS],
    ["K=16 to 24 better by 6 points", better(0.06), 300, [1]],
    ["K=16 to 24 better by 10 points", better(0.1), 300, [1]],
  ]) {
    for (const samples of [100, 200, 400]) {
      const made = of.map((seed) =>
        experiments.confirmations(product, { sweeps: count, samples, seed: 600 + seed, rates }),
      );
      const each = (way) => made.map((one) => fixed(one[way])).join(" / ");
      rows.push([name, samples, count, each("split"), each("crossValidated")]);
    }
  }
  table(["truth", "samples", "sweeps", "holdout", "cross-validation"], rows);
}
done("e");

process.stdout.write(`${lines.join("\n").trimEnd()}\n`);
