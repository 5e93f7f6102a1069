import { percentileEnds, type Ends } from "./bootstrap-ends.js";
import { eachResample, RESAMPLES, type ResampleOptions } from "./resample.js";

/** A mean over samples with its 95 % interval. */
export interface MeanInterval extends Ends {
  readonly mean: number;
}

/** Mean of one value a sample, with its percentile bootstrap interval. @throws BoundaryError without samples. */
export function meanInterval(values: ArrayLike<number>, options: ResampleOptions): MeanInterval {
  const means = new Float64Array(options.resamples ?? RESAMPLES);
  eachResample(values.length, options, ({ counts, total }, resample) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += (counts[i] ?? 0) * (values[i] ?? 0);
    means[resample] = sum / total;
  });
  const mean = Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, ...percentileEnds(means, 0.95) };
}
