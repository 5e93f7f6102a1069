// Races replayed on sweeps whose answers are all known. Each experiment takes the product's own functions as `product`; scores and
// differences in points, costs in layer-tokens.
import { flat, LAYERS, randomOf } from "./experiments.mjs";
import { drawLatents, partialCredit, rightOrWrong } from "./latent-sweeps.mjs";

/**
 * One race over a sweep that has been answered in full.
 * @param sweep.scored candidates by ascending K, the full adapter last, with all scores; samples in the order in which they are answered.
 * @param sweep.costs for each candidate its cost of each sample.
 * @returns the candidate that the race chose, the one that the rule chooses from all, and what was spent.
 */
export function replay(product, { scored, costs }, settings, { blocks, error }) {
  const track = product.startRace(
    scored.map(({ candidate }) => candidate),
    { ...settings, blocks, error },
  );
  const starts = blocks.map((_, i) => blocks.slice(0, i).reduce((sum, size) => sum + size, 0));
  let spent = 0;
  for (let call = product.nextCall(track); call !== undefined; call = product.nextCall(track)) {
    const [from, to] = [starts[call.block], starts[call.block] + blocks[call.block]];
    for (const at of call.candidates) {
      const rows = [...scored[at].scores].map(([metric, { isBinary, corpusValue, statistics }]) => {
        return [metric, { isBinary, corpusValue, statistics: statistics.slice(from, to) }];
      });
      track.record(at, new Map(rows));
      for (let i = from; i < to; i++) spent += costs[at][i];
    }
  }
  const left = scored.filter((_, at) => track.isFinished(at));
  const input = { ...settings, full: scored.at(-1) };
  const total = costs.reduce((sum, own) => sum + own.reduce((a, b) => a + b, 0), 0);
  return {
    raced: product.chooseBoundary({ ...input, scored: left }).chosen,
    full: product.chooseBoundary({ ...input, scored }).chosen,
    left: left.length,
    spent,
    total,
    dropped: track.dropped,
  };
}

/**
 * Whether the raced choice is the full sweep's, or not shown to be worse on all the data that there is: the paired 95 % interval of the two does not lie
 * below 0, and under no-worse what it loses against the full adapter there is within the margin.
 * @param data the candidates on all samples, in the order of the sweep's: the sweep itself, or what it was resampled from.
 */
export function judge(product, { raced, full }, settings, data) {
  const [ours, theirs] = [raced, full].map(({ candidate }) => {
    return score(
      data.find((one) => one.candidate.number === candidate.number),
      settings.metric,
    );
  });
  const isSame = raced.candidate.number === full.candidate.number;
  if (isSame) return { isSame, isNoWorse: true, difference: 0 };
  const isWithin =
    settings.rule !== "no-worse" || ours.value >= score(data.at(-1), settings.metric).value - settings.margin;
  const { high } = product.differenceInterval(ours, theirs);
  return { isSame, isNoWorse: high >= 0 && isWithin, difference: ours.value - theirs.value };
}

const score = (candidate, metric) => candidate.scores.get(metric);

/** Draws a sweep of right and wrong answers (or partial credit) with these true rates. Every answer costs 1. */
export function drawSweep(random, { rates, samples, alike, partial = false }) {
  const values = partial ? partialCredit : rightOrWrong;
  const rows = drawLatents(random, { rates, samples, ...alike }).map(values);
  const scored = rows.map((own, k) => {
    const statistics = own.map((value) => [value]);
    const whole = {
      metric: "m",
      label: "m",
      isBinary: !partial,
      n: samples,
      signature: "simulated",
      perSample: own,
      statistics,
      value: (100 * own.reduce((a, b) => a + b, 0)) / samples,
      corpusValue: (sums, count) => (100 * sums[0]) / count,
    };
    return {
      candidate: { number: k, boundaries: [k], mask: new Map([[`K${k}`, 1]]), keptModules: k, bytes: k },
      scores: new Map([["m", whole]]),
      answers: { count: samples },
    };
  });
  return { scored, costs: rows.map((own) => own.map(() => 1)) };
}

/** A sweep of as many samples, drawn with replacement from an answered one. */
export function resampled(product, random, { scored, costs }, size) {
  const drawn = Array.from({ length: size }, () => product.uniformInt(random, 0, costs[0].length - 1));
  return {
    scored: scored.map((one) => ({
      ...one,
      scores: new Map([...one.scores].map(([metric, whole]) => [metric, product.subsetScore(whole, drawn)])),
      answers: { count: size },
    })),
    costs: costs.map((own) => drawn.map((at) => own[at])),
    data: scored,
  };
}

/** The selection part of a finished run with every answer, its scores and the layer-tokens of each answer. */
export async function sweepOfRun(product, folder) {
  const run = await product.loadRun(folder);
  const { primary, extract } = product.runScoring(run);
  const samples = run.samples.filter(({ part }) => part === "selection").map(({ sample }) => sample);
  const layers = run.result.choice.layers;
  const found = run.result.candidates.flatMap(({ boundary, boundaries, keptModules, bytes }) => {
    const rows = run.answers(boundary, "selection");
    if (!rows) return [];
    const mask = new Map(Array.from({ length: keptModules }, (_, i) => [`module ${i}`, 1]));
    const candidate = { number: boundary, boundaries, keptModules, bytes, mask };
    const scored = product.scoreAnswers({ candidate, rows }, samples, { metrics: [primary], extract });
    return [{ scored, costs: rows.map((row) => product.layerTokens(layers, [row])) }];
  });
  return {
    metric: primary.name,
    layers,
    scored: found.map((one) => one.scored),
    costs: found.map((one) => one.costs),
  };
}

/**
 * Replays many sweeps and sums up: shares in per cent, ratios of layer-tokens, differences in points.
 * @param draw makes sweep number i. @param how gives the blocks and the error of race number i.
 */
export function agreement(product, draw, settings, sweeps, how) {
  const [ratios, differences] = [[], []];
  let [same, fine, left] = [0, 0, 0];
  for (let i = 0; i < sweeps; i++) {
    const sweep = draw(i);
    const outcome = replay(product, sweep, settings, how(i));
    const { isSame, isNoWorse, difference } = judge(product, outcome, settings, sweep.data ?? sweep.scored);
    same += isSame ? 1 : 0;
    fine += isNoWorse ? 1 : 0;
    left += outcome.left;
    ratios.push(outcome.total / outcome.spent);
    differences.push(difference);
  }
  const sorted = ratios.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sweeps - 1, Math.floor(share * sweeps))];
  return {
    same: (100 * same) / sweeps,
    noWorse: (100 * fine) / sweeps,
    median: at(0.5),
    tenth: at(0.1),
    lost: differences.reduce((a, b) => a + b, 0) / sweeps,
    left: left / sweeps,
  };
}

/** Every K below L loses exactly 2 points: how often does `no-worse` with that margin accept one, of a full sweep and raced? In per cent. */
export function falseAcceptances(product, { sweeps, samples, seed, alike, how }) {
  const random = randomOf(product, seed);
  const rates = flat(0.5).map((rate, k) => (k < LAYERS ? rate - 0.02 : rate));
  const settings = { rule: "no-worse", metric: "m", layerCount: LAYERS, margin: 2, floors: [] };
  let [full, raced] = [0, 0];
  for (let i = 0; i < sweeps; i++) {
    const outcome = replay(product, drawSweep(random, { rates, samples, alike }), settings, how);
    if (outcome.full.candidate.number < LAYERS) full += 1;
    if (outcome.raced.candidate.number < LAYERS) raced += 1;
  }
  return { full: (100 * full) / sweeps, raced: (100 * raced) / sweeps };
}
