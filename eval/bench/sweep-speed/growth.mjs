import { join } from "node:path";
import { sweepProcess } from "./arm-boundary.mjs";

/**
 * Memory and time of arm a against the number of boundaries (at a fixed number of samples) and of samples (at fixed boundaries).
 * @param samples largest number of samples; the smaller ones are its halves
 */
export function growth(workload, samples, folder, sweepFlags) {
  const { layers } = workload;
  const spread = (count) =>
    [...new Set(Array.from({ length: count }, (_, i) => Math.round((i * layers) / (count - 1))))].join(",");
  const half = Math.max(3, Math.round(layers / 4));
  const measure = (boundaries, limit) => {
    const at = workload.sweep.indexOf("--limit");
    const sweep = workload.sweep.map((flag, i) => (i === at + 1 ? String(limit) : flag));
    const out = join(folder, "growth");
    const run = sweepProcess({ model: workload.model, sweep, boundaries, out, flags: sweepFlags });
    const answers = run.boundaries.reduce((sum, one) => sum + one.answers.length, 0);
    return { boundaries: run.boundaries.length, samples: limit, answers, ...pick(run) };
  };
  const few = Math.max(1, Math.round(samples / 2));
  return {
    boundaries: ["0,full", spread(half), "all"].map((boundaries) => measure(boundaries, few)),
    samples: [...new Set([Math.max(1, samples >> 2), few, samples])].map((limit) => measure(spread(half), limit)),
  };
}

function pick({ wallSeconds, sweepSeconds, enginePeakBytes, ownPeakBytes, cpuSeconds }) {
  return { wallSeconds, sweepSeconds, enginePeakBytes, ownPeakBytes, cpuSeconds };
}
