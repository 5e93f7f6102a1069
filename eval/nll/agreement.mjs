// How often likelihoods and answers choose alike: resamples the selection of two finished runs over the same samples, chooses K in each by either, and asks
// what the answers of the samples that were not drawn say of both choices.
//
//   node eval/nll/agreement.mjs RUN-BY-NLL RUN-BY-ANSWERS [RULE] [RESAMPLES]
//
// RULE is no-worse (the default), one-se or best.
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const from = (path) => import(pathToFileURL(join(root, "dist", path)));
const { boundaryName } = await from("adapter/mask.js");
const { chooseBoundary } = await from("choice/choose.js");
const { scoreAnswers } = await from("choice/scores.js");
const { subsetScore } = await from("metrics/metric.js");
const { loadRun } = await from("run/load-run.js");
const { seededGenerator, uniformInt } = await from("statistics/random.js");
const { resolveSettings } = await from("settings.js");
const { settingsFromFile, sweepConfigSchema } = await from("sweep/config.js");
const { ruleSettings, scoringOf } = await from("sweep/inputs/scoring.js");
const { parseStrategy } = await from("strategy/strategy.js");
const { taskByName } = await from("tasks/task.js");

const [byNll, byAnswers, rule = "no-worse", resamples = "200"] = process.argv.slice(2);

async function open(folder) {
  const run = await loadRun(folder);
  const { result } = run;
  const config = resolveSettings(sweepConfigSchema, "score", [
    { rule },
    settingsFromFile(result.config, folder),
    { out: folder },
  ]);
  const scoring = scoringOf(config, taskByName(config.task ?? "qa"), { format: result.data.format, thoughts: [] });
  const samples = run.samples.filter(({ part }) => part === "selection").map(({ sample }) => sample);
  const scored = result.candidates.map(({ boundary, boundaries, keptModules, bytes }) => {
    const mask = new Map([[String(boundary), 1]]);
    const candidate = { number: boundary, boundaries, name: boundaryName(boundary), keptModules, bytes, mask };
    const rows = run.answers(boundary, "selection");
    return scoreAnswers({ candidate, rows }, samples, { ...scoring, groupBy: undefined });
  });
  const layerCount = result.choice.layers;
  const settings = ruleSettings(config, scoring, { strategy: parseStrategy("prefix", layerCount), layerCount });
  return { metric: result.metric, scored, settings, ids: samples.map(({ id }) => id) };
}

function on(one, places) {
  const scores = (scored) => new Map([[one.metric, subsetScore(scored.scores.get(one.metric), places)]]);
  return one.scored.map((scored) => ({ ...scored, samples: places.length, scores: scores(scored) }));
}

function chosen(one, places) {
  const scored = on(one, places);
  return chooseBoundary({ ...one.settings, scored, full: scored.at(-1) }).chosen.candidate.number;
}

const [nll, answers] = [await open(byNll), await open(byAnswers)];
if (nll.ids.join() !== answers.ids.join()) throw new Error("the runs chose on other samples");
const n = nll.ids.length;
const all = [...nll.ids.keys()];
console.log(
  `${n} samples, ${rule}: K=${chosen(nll, all)} by ${nll.metric}, K=${chosen(answers, all)} by ${answers.metric}`,
);
const generator = seededGenerator(1);

const distances = [];
const losses = [];
const picks = { [nll.metric]: [], [answers.metric]: [] };
for (let i = 0; i < Number(resamples); i++) {
  const drawn = all.map(() => uniformInt(generator, 0, n - 1));
  const left = all.filter((place) => !drawn.includes(place));
  if (left.length === 0) continue;
  const [a, b] = [chosen(nll, drawn), chosen(answers, drawn)];
  picks[nll.metric].push(a);
  picks[answers.metric].push(b);
  distances.push(Math.abs(a - b));
  const unseen = on(answers, left);
  const value = (boundary) =>
    unseen.find(({ candidate }) => candidate.number === boundary).scores.get(answers.metric).value;
  losses.push(value(a) - value(b));
}
const sorted = (list) => [...list].sort((a, b) => a - b);
const quantile = (list, q) => sorted(list)[Math.min(list.length - 1, Math.floor(q * list.length))];
const share = (most) => Math.round((100 * distances.filter((one) => one <= most).length) / distances.length);
for (const [metric, list] of Object.entries(picks)) {
  console.log(
    `by ${metric}: K ${quantile(list, 0.25)} to ${quantile(list, 0.75)} in half of ${list.length} resamples, median ${quantile(list, 0.5)}`,
  );
}
console.log(`the same K in ${share(0)} %, at most 2 apart in ${share(2)} %, at most 5 in ${share(5)} %`);
const mean = losses.reduce((sum, one) => sum + one, 0) / losses.length;
console.log(
  `${answers.metric} on the samples not drawn, at the K of ${nll.metric} less that at its own: ${mean.toFixed(2)} points on average ` +
    `(${quantile(losses, 0.05).toFixed(1)} to ${quantile(losses, 0.95).toFixed(1)} in nine of ten)`,
);
