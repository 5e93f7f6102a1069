// The experiments of the simulation. Each takes the product's own functions as `product` (from dist/ in simulate.mjs, from src/ in the test),
// draws sweeps whose truth is known, and returns rates and means as plain numbers. Scores and differences in points.
import { drawLatents, partialCredit, partialCreditMean, rightOrWrong } from "./latent-sweeps.mjs";

/** K = 0..31: L = 31, the full adapter is the last. */
export const LAYERS = 31;
const METRIC = "m";

/** How alike neighbouring candidates answer: the usual, and so alike that a drop of two points is two samples in a hundred. */
export const USUAL = { shared: 0.7, step: 0.9 };
export const NEARLY_EQUAL = { shared: 0.95, step: 0.995 };

/** Every candidate equally good. */
export const flat = (rate) => Array.from({ length: LAYERS + 1 }, () => rate);
/** From 20 % at K=0 up to 50 % around K=20, one peak of `gain` above that at K=24. */
export const peaked = (gain) => {
  return Array.from({ length: LAYERS + 1 }, (_, k) => 0.2 + 0.3 / (1 + Math.exp((10 - k) / 2)) + (k === 24 ? gain : 0));
};

/** A stream of random numbers for the draws. */
export function randomOf({ seededGenerator, normalQuantile }, seed) {
  const generator = seededGenerator(seed);
  return { uniform: () => ((generator.unsafeNext() >>> 0) + 0.5) / 2 ** 32, quantile: normalQuantile };
}

const ROWS = [[0], [1]];
const MASKS = Array.from({ length: LAYERS + 1 }, (_, k) => new Map(k === 0 ? [] : [[`layers below ${k}`, 1]]));

function scoreOf(values, isBinary) {
  return {
    metric: METRIC,
    label: METRIC,
    isBinary,
    value: (100 * values.reduce((sum, value) => sum + value, 0)) / values.length,
    n: values.length,
    signature: "simulated",
    perSample: values,
    statistics: isBinary ? values.map((value) => ROWS[value]) : values.map((value) => [value]),
    corpusValue: (sums, count) => (100 * sums[0]) / count,
  };
}

/** The candidates of one sweep on one part. */
function candidatesOf(random, shape, values = rightOrWrong) {
  return drawLatents(random, shape).map((latent, k) => ({
    candidate: {
      number: k,
      boundaries: [k],
      mask: MASKS[k],
      keptModules: k,
      bytes: k,
    },
    scores: new Map([[METRIC, scoreOf(values(latent), values === rightOrWrong)]]),
    answers: { count: shape.samples, meanTokens: 1, cutAtLimit: 0, empty: 0 },
  }));
}

function inputOf(scored, rule, margin = 2) {
  return { rule, scored, full: scored.at(-1), metric: METRIC, layerCount: LAYERS, margin, floors: [] };
}

const score = (candidate) => candidate.scores.get(METRIC);
const claimsBetter = ({ differenceInterval }, a, b) => differenceInterval(score(a), score(b)).low > 0;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = (flags) => (100 * flags.filter(Boolean).length) / flags.length;

/** No candidate is better: how often is one said to be, by the samples that chose it and by a holdout of as many? */
export function falseImprovements(product, { sweeps, samples, seed, rate = 0.5, alike = USUAL }) {
  const random = randomOf(product, seed);
  const claims = Array.from({ length: sweeps }, () => {
    const shape = { rates: flat(rate), samples, ...alike };
    const [selection, holdout] = [candidatesOf(random, shape), candidatesOf(random, shape)];
    const { number: boundary } = product.chooseBoundary(inputOf(selection, "best")).chosen.candidate;
    return {
      selection: claimsBetter(product, selection[boundary], selection[LAYERS]),
      holdout: claimsBetter(product, holdout[boundary], holdout[LAYERS]),
    };
  });
  return { selection: share(claims.map((one) => one.selection)), holdout: share(claims.map((one) => one.holdout)) };
}

/** Every K below L loses exactly `drop` points: how often does `no-worse` with that margin accept one all the same? */
export function falseAcceptances(product, { sweeps, samples, seed, drop = 2, partial = false, alike = USUAL }) {
  const random = randomOf(product, seed);
  const rate = partial
    ? rateWithMean(product, partialCreditMean(product.normalQuantile, 0.5) - drop / 100)
    : 0.5 - drop / 100;
  const rates = [...flat(rate).slice(1), 0.5];
  const values = partial ? partialCredit : rightOrWrong;
  const accepted = Array.from({ length: sweeps }, () => {
    const scored = candidatesOf(random, { rates, samples, ...alike }, values);
    return product.chooseBoundary(inputOf(scored, "no-worse", drop)).chosen.candidate.number < LAYERS;
  });
  return share(accepted);
}

function rateWithMean({ normalQuantile }, wanted) {
  let [low, high] = [0.01, 0.99];
  for (let halving = 0; halving < 30; halving++) {
    const middle = (low + high) / 2;
    if (partialCreditMean(normalQuantile, middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** From K=16 up nothing is lost: how often does `no-worse` trim with each of these margins, and how far down? */
export function trimming(product, { sweeps, samples, seed, margins, alike = USUAL }) {
  const random = randomOf(product, seed);
  const rates = flat(0.5).map((rate, k) => (k < 16 ? 0.2 + (0.3 * k) / 16 : rate));
  const chosen = margins.map(() => []);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const scored = candidatesOf(random, { rates, samples, ...alike });
    margins.forEach((margin, i) => {
      chosen[i].push(product.chooseBoundary(inputOf(scored, "no-worse", margin)).chosen.candidate.number);
    });
  }
  return chosen.map((boundaries) => {
    const trimmed = boundaries.filter((boundary) => boundary < LAYERS);
    return { trimmed: (100 * trimmed.length) / sweeps, meanBoundary: trimmed.length > 0 ? mean(trimmed) : Number.NaN };
  });
}

/** One K is better by `gain` points than all from K=20 up: what does each rule pick, and what is that worth? */
export function picks(product, { sweeps, samples, seed, gain = 3, alike = USUAL }) {
  const random = randomOf(product, seed);
  const rates = peaked(gain / 100);
  const rules = [...product.ruleNames(), "one-se of the best (Breiman)"];
  const found = new Map(rules.map((rule) => [rule, []]));
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const scored = candidatesOf(random, { rates, samples, ...alike });
    for (const rule of rules) {
      const boundary = product.ruleNames().includes(rule)
        ? product.chooseBoundary(inputOf(scored, rule)).chosen.candidate.number
        : breimanPick(scored);
      found.get(rule).push(boundary);
    }
  }
  return [...found].map(([rule, boundaries]) => ({
    rule,
    peak: share(boundaries.map((boundary) => boundary === 24)),
    full: share(boundaries.map((boundary) => boundary === LAYERS)),
    meanBoundary: mean(boundaries),
    worth: 100 * mean(boundaries.map((boundary) => rates[boundary] - rates[LAYERS])),
    worst: 100 * Math.min(...boundaries.map((boundary) => rates[boundary] - rates[LAYERS])),
  }));
}

/** The smallest K within one standard error of the best score itself. */
function breimanPick(scored) {
  const values = scored.map((one) => score(one).value / 100);
  const best = Math.max(...values);
  const error = Math.sqrt((best * (1 - best)) / score(scored[0]).n);
  return values.findIndex((value) => value >= best - error - 1e-12);
}

/** How far the score of the chosen candidate lies from its true one: as measured, and corrected in two ways. */
export function winnersCurse(product, { sweeps, samples, seed, rule = "best", rates = flat(0.5), resamples = 100 }) {
  const random = randomOf(product, seed);
  const errors = { apparent: [], optimism: [], leaveOneOut: [] };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const scored = candidatesOf(random, { rates, samples, ...USUAL });
    const input = inputOf(scored, rule);
    const truth = 100 * rates[product.chooseBoundary(input).chosen.candidate.number];
    const { apparent, corrected } = product.inSampleEstimate(input, { seed: sweep, resamples });
    errors.apparent.push(apparent - truth);
    errors.leaveOneOut.push(corrected - truth);
    errors.optimism.push(apparent - optimismOf(product, input, { seed: sweep, resamples }) - truth);
  }
  const summary = (list) => ({ mean: mean(list), rootMeanSquare: Math.sqrt(mean(list.map((error) => error ** 2))) });
  return Object.fromEntries(Object.entries(errors).map(([name, list]) => [name, summary(list)]));
}

/** The bootstrap's estimate of the optimism (Efron and Tibshirani 1993, section 17.6), for comparison. */
function optimismOf({ eachResample, evidenceOf, applyRule }, input, options) {
  const evidence = evidenceOf(input);
  const excess = [];
  eachResample(evidence.weights.total, options, (weights) => {
    const resampled = evidence.weighted(weights);
    const { chosen } = applyRule(resampled, input);
    excess.push(resampled.value(chosen, METRIC) - evidence.value(chosen, METRIC));
  });
  return mean(excess);
}

/** So many samples in all: how often does each way of confirming say that the choice of `best` is better than the full adapter? */
export function confirmations(product, { sweeps, samples, seed, rates, folds = 5 }) {
  const random = randomOf(product, seed);
  const claims = Array.from({ length: sweeps }, (_, sweep) => {
    const scored = candidatesOf(random, { rates, samples, ...USUAL });
    const half = samples / 2;
    const part = (from, to) => {
      return scored.map((one) => {
        return {
          ...one,
          scores: new Map([[METRIC, scoreOf(score(one).perSample.slice(from, to), true)]]),
          answers: { count: half },
        };
      });
    };
    const [selection, holdout] = [part(0, half), part(half, samples)];
    const { number: boundary } = product.chooseBoundary(inputOf(selection, "best")).chosen.candidate;
    const { metrics } = product.crossValidate(inputOf(scored, "best"), { folds, seed: sweep, resamples: 1, trials: 1 });
    return {
      split: claimsBetter(product, holdout[boundary], holdout[LAYERS]),
      crossValidated: metrics[0].chosenMinusFull.low > 0,
    };
  });
  return {
    split: share(claims.map((one) => one.split)),
    crossValidated: share(claims.map((one) => one.crossValidated)),
  };
}

/**
 * Coverage of 95 % intervals of a share of zeros and ones, exact: an interval depends on the number of right samples alone, so every number
 * is tried and weighed by its probability.
 * @returns for each rate the coverage in per cent.
 */
export function coverageOfShare(product, { samples, seed, rates, method, resamples = 2000 }) {
  const intervals = Array.from({ length: samples + 1 }, (_, right) => {
    if (method === "wilson") {
      const { low, high } = product.wilsonEnds(right, samples, 0.95);
      return { low: 100 * low, high: 100 * high };
    }
    const values = Array.from({ length: samples }, (_, i) => (i < right ? 1 : 0));
    return product.scoreInterval(scoreOf(values, true), { seed, method, resamples });
  });
  return rates.map((rate) => {
    let [probability, covered] = [(1 - rate) ** samples, 0];
    intervals.forEach(({ low, high }, right) => {
      if (low <= 100 * rate + 1e-9 && 100 * rate - 1e-9 <= high) covered += probability;
      probability *= ((samples - right) / (right + 1)) * (rate / (1 - rate));
    });
    return 100 * covered;
  });
}

/** Coverage of 95 % intervals of a difference of paired shares, or of paired means of partial credit; the first side is better by `gain` points of its rate. */
export function coverageOfDifference(
  product,
  { trials, samples, seed, rate, gain = 0, partial = false, alike = USUAL, methods, cache, resamples = 1000 },
) {
  const random = randomOf(product, seed);
  const values = partial ? partialCredit : rightOrWrong;
  const rates = [rate, rate + gain / 100];
  const truths = rates.map((one) => (partial ? partialCreditMean(product.normalQuantile, one) : one));
  const truth = 100 * (truths[1] - truths[0]);
  const covered = new Map(methods.map((method) => [method, 0]));
  for (let trial = 0; trial < trials; trial++) {
    const [b, a] = drawLatents(random, { rates, samples, ...alike }).map((latent) => scoreOf(values(latent), !partial));
    for (const method of methods) {
      const make = () => product.differenceInterval(a, b, { method, resample: { seed: seed + trial, resamples } });
      const { low, high } = partial ? make() : remember(cache, flipKey(method, a, b), make);
      if (low <= truth + 1e-9 && truth - 1e-9 <= high) covered.set(method, covered.get(method) + 1);
    }
  }
  return Object.fromEntries([...covered].map(([method, count]) => [method, (100 * count) / trials]));
}

/** An interval of paired zeros and ones depends on how many samples went each way alone. */
function flipKey(method, a, b) {
  let [better, worse] = [0, 0];
  a.perSample.forEach((value, i) => {
    if (value > b.perSample[i]) better += 1;
    else if (value < b.perSample[i]) worse += 1;
  });
  return `${method} ${a.n} ${better} ${worse}`;
}

function remember(cache, key, make) {
  const known = cache.get(key);
  if (known) return known;
  const made = make();
  cache.set(key, made);
  return made;
}

/**
 * Coverage of 95 % intervals of a difference of paired shares, exact: an interval depends on how many samples went each way alone, so all
 * such pairs of numbers that are not next to impossible are tried and weighed by their probability.
 * @param discordant share of samples that differ, 0-1, and difference the true one, 0-1, at most as large.
 * @param cache of intervals, for other shares of as many samples.
 */
export function exactCoverageOfDifference(product, { samples, discordant, difference, cache }) {
  const logFactorials = [0];
  for (let n = 1; n <= samples; n++) logFactorials.push(logFactorials[n - 1] + Math.log(n));
  const times = (count, share) => (count === 0 ? 0 : count * Math.log(share));
  const [up, down] = [(discordant + difference) / 2, (discordant - difference) / 2];
  let covered = 0;
  for (let better = 0; better <= samples; better++) {
    for (let worse = 0; better + worse <= samples; worse++) {
      const same = samples - better - worse;
      const orders = logFactorials[samples] - logFactorials[better] - logFactorials[worse] - logFactorials[same];
      const logarithm = orders + times(better, up) + times(worse, down) + times(same, 1 - discordant);
      if (!(logarithm > -25)) continue;
      const { low, high } = remember(cache, `${samples} ${better} ${worse}`, () => {
        const side = (first, second) => {
          return Array.from({ length: samples }, (_, i) => (i < better ? first : i < better + worse ? second : 0));
        };
        return product.differenceInterval(scoreOf(side(1, 0), true), scoreOf(side(0, 1), true));
      });
      if (low <= 100 * difference + 1e-9 && 100 * difference - 1e-9 <= high) covered += Math.exp(logarithm);
    }
  }
  return 100 * covered;
}

/** Coverage of 95 % intervals of a mean of partial credit. */
export function coverageOfMean(product, { trials, samples, seed, rate, methods, resamples = 1000 }) {
  const random = randomOf(product, seed);
  const truth = 100 * partialCreditMean(product.normalQuantile, rate);
  const covered = new Map(methods.map((method) => [method, 0]));
  for (let trial = 0; trial < trials; trial++) {
    const values = scoreOf(partialCredit(drawLatents(random, { rates: [rate], samples })[0]), false);
    for (const method of methods) {
      const { low, high } = product.scoreInterval(values, { seed: seed + trial, method, resamples });
      if (low <= truth && truth <= high) covered.set(method, covered.get(method) + 1);
    }
  }
  return Object.fromEntries([...covered].map(([method, count]) => [method, (100 * count) / trials]));
}
