// How often does a race choose what the full sweep chooses, and what does it spare? On simulated sweeps with a known truth, and on resamples of
// runs that were answered in full. No model is needed.
//
//   node eval/simulation/race.mjs [--sweeps 200] [--seed 1] [RUN ...] > eval/results/race.md
import { runScoring } from "../../dist/report/run-scoring.js";
import { chooseBoundary } from "../../dist/choice/choose.js";
import { layerTokens } from "../../dist/run/layer-tokens.js";
import { loadRun } from "../../dist/run/load-run.js";
import { nextCall, startRace } from "../../dist/choice/race.js";
import { raceBlocks } from "../../dist/choice/race-blocks.js";
import { PREDICTION_ERRORS } from "../../dist/choice/race-track.js";
import { scoreAnswers } from "../../dist/choice/scores.js";
import { subsetScore } from "../../dist/metrics/metric.js";
import { differenceInterval } from "../../dist/statistics/difference.js";
import { normalQuantile } from "../../dist/statistics/distributions.js";
import { seededGenerator, uniformInt } from "../../dist/statistics/random.js";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { flat, LAYERS, NEARLY_EQUAL, peaked, randomOf, USUAL } from "./experiments.mjs";
import { agreement, drawSweep, falseAcceptances, resampled, sweepOfRun } from "./race-experiments.mjs";

const product = {
  ...{ runScoring, chooseBoundary, layerTokens, loadRun, nextCall, startRace, scoreAnswers, subsetScore },
  ...{ differenceInterval, normalQuantile, seededGenerator, uniformInt },
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sweeps: { type: "string", default: "200" }, seed: { type: "string", default: "1" } },
});
const [sweeps, seed] = [Number(values.sweeps), Number(values.seed)];
const RULES = ["no-worse", "best", "one-se"];

const row = (...cells) => `| ${cells.join(" | ")} |`;
const say = (...lines) => process.stdout.write(`${lines.join("\n")}\n`);
const head = (...cells) => say(row(...cells), row(...cells.map(() => "---")));
const cells = ({ same, noWorse, median, tenth, lost }) => {
  return [same.toFixed(1), noWorse.toFixed(1), `${median.toFixed(1)}x`, `${tenth.toFixed(1)}x`, lost.toFixed(2)];
};
const COLUMNS = [
  "same K, %",
  "same or no worse, %",
  "layer-tokens spared, median",
  "lowest tenth",
  "race minus full, mean points",
];
const racing = (samples, rule) => ({
  blocks: raceBlocks(samples, 1, 0).map((places) => places.length),
  error: PREDICTION_ERRORS[rule],
});

say(
  "# Racing against the full sweep",
  "",
  "```",
  `node eval/simulation/race.mjs${sweeps === 200 ? "" : ` --sweeps ${sweeps}`}${seed === 1 ? "" : ` --seed ${seed}`}${positionals.map(() => " RUN").join("")} > eval/results/race.md`,
  "```",
  "",
  "Every sweep is answered in full, then raced on the same answers (`--race`, as built in). *Same or no worse*: the race chose the full sweep's K, or",
  "one whose paired 95 % interval against it on all the data does not lie below 0, and which under `no-worse` loses no more than the margin of 2 points against",
  "the full adapter there. *Spared*: layer-tokens of the selection part of the full sweep over those of the race. *Race minus full*: score of the",
  "race's choice minus that of the full sweep's on all the data.",
  "",
);

say(
  "## Simulated sweeps",
  "",
  `${sweeps} sweeps of 32 candidates for each line (a quarter of that with 1,000 samples), the model of \`latent-sweeps.mjs\`; every answer costs the same. *Rising*: from 20 % at K=0 to`,
  "50 % around K=20. *Peak*: the same with 3 points more at K=24. *Flat*: every candidate is as good as any other, the hardest case to race.",
  "",
);
const TRUTHS = { rising: peaked(0), peak: peaked(0.03), flat: flat(0.5) };
for (const rule of RULES) {
  say(`### Rule \`${rule}\``, "");
  head("samples", "truth", "neighbours", ...COLUMNS);
  for (const samples of [100, 250, 1000]) {
    for (const [truth, rates] of Object.entries(TRUTHS)) {
      for (const [name, alike] of [
        ["usual", USUAL],
        ["nearly equal", NEARLY_EQUAL],
      ]) {
        const random = randomOf(product, seed);
        const settings = { rule, metric: "m", layerCount: LAYERS, margin: 2, floors: [] };
        const count = samples === 1000 ? Math.ceil(sweeps / 4) : sweeps;
        const draw = () => drawSweep(random, { rates, samples, alike });
        say(
          row(samples, truth, name, ...cells(agreement(product, draw, settings, count, () => racing(samples, rule)))),
        );
      }
    }
  }
  say("");
}

say(
  "## False acceptances by `no-worse`",
  "",
  "Every K below L loses exactly the margin of 2 points. How often is one accepted all the same, %? The nominal rate of a full sweep is 2.5 %.",
  "",
);
head("samples", "neighbours", "full sweep", "race");
for (const samples of [250, 400]) {
  for (const [name, alike] of [
    ["usual", USUAL],
    ["nearly equal", NEARLY_EQUAL],
  ]) {
    const { full, raced } = falseAcceptances(product, {
      sweeps: 5 * sweeps,
      samples,
      seed,
      alike,
      how: racing(samples, "no-worse"),
    });
    say(row(samples, name, full.toFixed(1), raced.toFixed(1)));
  }
}
say("");

if (positionals.length > 0) {
  say(
    "## Resamples of answered runs",
    "",
    `${sweeps} sweeps for each line, each as many samples as the run's selection has (or as said), drawn from it with replacement.`,
    "",
  );
  head("run", "boundaries", "samples", "rule", ...COLUMNS);
  for (const folder of positionals) {
    const sweep = await sweepOfRun(product, folder);
    const own = sweep.costs[0].length;
    for (const size of own === 250 ? [own] : [own, 250]) {
      for (const rule of RULES) {
        const random = seededGenerator(seed);
        const settings = { rule, metric: sweep.metric, layerCount: sweep.layers, margin: 2, floors: [] };
        const draw = () => resampled(product, random, sweep, size);
        const found = agreement(product, draw, settings, sweeps, () => racing(size, rule));
        say(row(basename(resolve(folder)), sweep.scored.length, size, rule, ...cells(found)));
      }
    }
  }
  say("");
}
