// Sweeps as they could have come out, with the truth known.
//
// Each sample has an ability u ~ N(0, 1) that all candidates share, and candidate K adds its own deviation w_K ~ N(0, 1), which is
// correlated between neighbours (an AR(1) chain: corr(w_K, w_J) = step^|K-J|). Candidate K gets sample i right when
//
//   sqrt(shared) * u_i + sqrt(1 - shared) * w_iK > threshold_K,      threshold_K = -quantile(rate_K),
//
// so that its true rate is rate_K exactly, and neighbours answer most samples alike, as neighbouring boundaries do.

/**
 * @param random.uniform draws from the open interval (0, 1); random.quantile is the standard normal quantile.
 * @param rates true rate of each candidate, 0-1, by ascending K.
 * @returns for each candidate the latent values minus its threshold, one for each sample: above 0 is right.
 */
export function drawLatents({ uniform, quantile }, { rates, samples, shared = 0.7, step = 0.9 }) {
  const normal = normals(uniform);
  const own = Math.sqrt(1 - step * step);
  const thresholds = rates.map((rate) => -quantile(rate));
  const latents = rates.map(() => new Float64Array(samples));
  for (let sample = 0; sample < samples; sample++) {
    const ability = Math.sqrt(shared) * normal();
    let deviation = normal();
    for (let k = 0; k < rates.length; k++) {
      if (k > 0) deviation = step * deviation + own * normal();
      latents[k][sample] = ability + Math.sqrt(1 - shared) * deviation - thresholds[k];
    }
  }
  return latents;
}

/** 0 or 1 for each sample. */
export function rightOrWrong(latent) {
  const values = new Array(latent.length);
  for (let i = 0; i < latent.length; i++) values[i] = latent[i] > 0 ? 1 : 0;
  return values;
}

/** Values such as token F1: many zeros, many ones, partial credit between. */
export function partialCredit(latent) {
  const values = new Array(latent.length);
  for (let i = 0; i < latent.length; i++) values[i] = Math.min(1, Math.max(0, (latent[i] + 0.3) / 0.8));
  return values;
}

/** The mean of {@link partialCredit} where the rate of latent values above 0 is `rate`, 0-1; by the midpoint rule. */
export function partialCreditMean(quantile, rate) {
  const [shift, width] = [quantile(rate), 1e-3];
  let mean = 0;
  for (let x = -8 + width / 2; x < 8; x += width) {
    mean += (width * partialCredit([x + shift])[0] * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }
  return mean;
}

/** Box and Muller's pairs of standard normal numbers. */
function normals(uniform) {
  let spare;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const [radius, angle] = [Math.sqrt(-2 * Math.log(uniform())), 2 * Math.PI * uniform()];
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
