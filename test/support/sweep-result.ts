import { RESULT_SCHEMA_VERSION, type SweepResult } from "../../src/run/result.js";

const paired = {
  difference: -2.5,
  low: -10,
  high: 5,
  better: 1,
  worse: 2,
  same: 17,
  method: "Tango",
  p: { bootstrap: 0.5, randomization: 0.625, mcnemar: 0.75 },
  effect: { oddsRatio: 0.5 },
};

function candidate(boundary: number, value: number, bytes: number): SweepResult["candidates"][number] {
  const score = { value, low: value - 5, high: value + 5, method: "BCa", n: 20, signature: "nrefs:1" };
  return {
    boundary,
    boundaries: boundary === 4 ? [4, 5, 6] : [boundary],
    keptModules: boundary,
    bytes,
    selection: {
      answers: { count: 20, meanTokens: 3.25, cutAtLimit: 0, empty: 0, looping: 0 },
      scores: { em: score, contains: { ...score, value: value + 1 } },
      groups: {},
    },
  };
}

/** The result of a sweep over K = 0, 2, 4 that chose 2. Every part that a report shows has a value of its own. */
export function sweepResult(): SweepResult {
  const comparison = { chosen: 40, full: 42.5, base: 10, chosenMinusFull: paired, chosenMinusBase: paired };
  return {
    schemaVersion: RESULT_SCHEMA_VERSION,
    tool: { name: "boundary", version: "0.0.0" },
    command: "boundary sweep --out RUN",
    config: { seed: 0 },
    engine: {
      backend: "cpu",
      devices: [],
      gpuLayers: 0,
      threads: 1,
      llamaCpp: "b1",
      nodeLlamaCpp: "3.0.0",
    },
    generation: {
      maxTokens: 8,
      stop: [],
      template: "raw",
      sequences: 2,
      contextSize: 256,
      batchSize: 512,
      cacheType: "F16",
      flashAttention: "auto",
      key: "key",
    },
    model: { path: "base.gguf", sha256: "ba5e", architecture: "llama", layers: 6, bytes: 5000 },
    adapter: { path: "lora.gguf", sha256: "ad", alpha: 8, ranks: [2], modules: 4, coverage: [0, 1, 2, 3], bytes: 1000 },
    data: {
      path: "v.jsonl",
      sha256: "da7a",
      format: "jsonl",
      promptSha256: "9a",
      selection: Array.from({ length: 20 }, (_, i) => `s${i}`),
      holdout: Array.from({ length: 20 }, (_, i) => `h${i}`),
      skipped: [],
    },
    metric: "contains",
    candidates: [candidate(0, 10, 0), candidate(2, 45, 1_234_567), candidate(4, 44, 2_469_134)],
    labels: { em: "EM", contains: "contains" },
    choice: {
      rule: "best",
      floors: [],
      boundary: 2,
      layers: 6,
      bestBoundary: 2,
      reasons: ["K=2 has the highest score."],
      excluded: [],
      steps: [],
    },
    confirmation: {
      part: "holdout",
      samples: 20,
      comparisons: [
        { metric: "em", label: "EM", ...comparison },
        { metric: "contains", label: "contains", ...comparison },
      ],
    },
    verdict: { kind: "trim", sentences: ["Keep the adapter in layers 0 to 1.", "It is so."] },
    notes: ["A note."],
    trimmed: { file: "trimmed.gguf", sha256: "7r", bytes: 700 },
    timings: {
      wallSeconds: 1,
      answersGenerated: 100,
      answersReused: 0,
      enginePeakBytes: 1,
      ownPeakBytes: 1,
      speeds: [0, 2, 4].map((boundary) => ({
        boundary,
        prefillTokensPerSecond: 1000.4 + boundary,
        decodeTokensPerSecond: 50.6 + boundary,
      })),
    },
  };
}
