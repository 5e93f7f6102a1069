// Races replayed on sweeps whose answers are all known. Each experiment takes the product's own functions as `product`; scores and
// differences in points, costs in layer-tokens.
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

/** Whether the raced choice is the full sweep's, or not shown to be worse on all samples; under no-worse it must pass its own test too. */
export function judge(product, { raced, full }, settings, reference) {
  const isSame = raced.candidate.boundary === full.candidate.boundary;
  const difference = isSame ? 0 : score(raced, settings.metric).value - score(full, settings.metric).value;
  if (isSame) return { isSame, isNoWorse: true, difference };
  const { high } = product.differenceInterval(score(raced, settings.metric), score(full, settings.metric));
  const isWithin =
    settings.rule !== "no-worse" ||
    raced.candidate.boundary === reference.candidate.boundary ||
    product.chooseBoundary({ ...settings, full: reference, scored: [raced, reference] }).chosen === raced;
  return { isSame, isNoWorse: high >= 0 && isWithin, difference };
}

/** Sizes of blocks: a first one, then equal ones, multiples of `step` but for the last. */
export const blockSizes = (product, samples, step = 1) => product.blockSizes(samples, step);

const score = (candidate, metric) => candidate.scores.get(metric);

/** Draws a sweep of right and wrong answers (or partial credit) with these true rates. Every answer costs 1. */
export function drawSweep(random, { rates, samples, alike, partial = false }) {
  const values = partial ? partialCredit : rightOrWrong;
  const rows = drawLatents(random, { rates, samples, ...alike }).map(values);
  const scored = rows.map((own, k) => {
    const statistics = own.map((value) => [value]);
    const whole = {
      metric: "m", label: "m", isBinary: !partial, n: samples, signature: "simulated", perSample: own, statistics,
      value: (100 * own.reduce((a, b) => a + b, 0)) / samples,
      corpusValue: (sums, count) => (100 * sums[0]) / count,
    };
    return {
      candidate: { boundary: k, boundaries: [k], mask: new Map([[`K${k}`, 1]]), keptModules: k, bytes: k },
      scores: new Map([["m", whole]]),
      answers: { count: samples },
    };
  });
  return { scored, costs: rows.map((own) => own.map(() => 1)) };
}

/** Replays many sweeps and sums up. @param draw makes sweep number i. */
export function agreement(product, draw, settings, { sweeps, ...how }) {
  const [ratios, differences] = [[], []];
  let [same, fine, left] = [0, 0, 0];
  for (let i = 0; i < sweeps; i++) {
    const sweep = draw(i);
    const outcome = replay(product, sweep, settings, how);
    const { isSame, isNoWorse, difference } = judge(product, outcome, settings, sweep.scored.at(-1));
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
