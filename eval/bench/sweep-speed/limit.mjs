// Arm e, the engine's limit: how long the layer-tokens that arm a computed would take at the rates of a bare loop of llama_decode calls of the
// same shapes: no sampling, no text, no journal, no context made anew, no other process. The rates are those of whole passes with no adapter and
// with the whole adapter, so the output head is in them.
//
//   node limit.mjs WORKLOAD.json RESULT.json LIMIT.json
//
// RESULT is arm a's result as arms.mjs writes it, or a run's result.json with the same fields under `timings`:
//   work.prefill    { base, adapter }: layer-tokens (tokens times layers they went through) without and with adapter; optional rowsPerCall:
//                   tokens of one call, where prompts are not prefilled each by itself
//   work.decode     { base, adapter, rowsPerCall }: likewise; rowsPerCall is the mean number of tokens in a call, or { rows: layer-tokens }
//   work.saved      layer-tokens not computed, by trick; not used here
//   boundaries      [{ boundary, answers: [{ id, tokens }] }]: needed where there is no `work`; then the plain way is counted
import { readFileSync, writeFileSync } from "node:fs";
import { median, plainWork, tokenCounts } from "./counts.mjs";
import { loadModel } from "./llama-library.mjs";

const [workloadPath, resultPath, limitPath] = process.argv.slice(2);
const workload = JSON.parse(readFileSync(workloadPath, "utf8"));
const result = JSON.parse(readFileSync(resultPath, "utf8"));
const { layers, prompts, threads, maxTokens } = workload;
const REPEATS = 3;
const STEPS = 12;
/** Numbers of rows whose decode rate is measured, those with most work first: each costs a prefill of so many prompts. */
const MOST_ROWS = 4;

const counted = result.work ?? result.timings?.work;
const plain = result.boundaries && plainWork(workload, result.boundaries, 1);
const work = counted ?? plain;
if (!work) throw new Error(`${resultPath} has neither work nor boundaries`);

const model = loadModel(workload.model);
const adapters = { base: [], adapter: [workload.adapter] };

function seconds(run) {
  const started = performance.now();
  run();
  return (performance.now() - started) / 1e3;
}

/** Layer-tokens per second of prompts that are prefilled each by itself. */
function prefillRate(files, lengths) {
  const context = model.openContext({ sequences: 1, contextSize: Math.max(...lengths), threads }, files);
  const source = prompts.flatMap(({ tokens }) => tokens);
  const timeOf = (length) => {
    const tokens = Array.from({ length }, (_, i) => source[i % source.length]);
    const once = () => seconds(() => (context.clear(), context.prefill(tokens)));
    once();
    return median(Array.from({ length: REPEATS }, once));
  };
  const times = new Map([...new Set(lengths)].map((length) => [length, timeOf(length)]));
  context.close();
  const total = lengths.reduce((sum, length) => sum + times.get(length), 0);
  return (layers * lengths.reduce((sum, length) => sum + length, 0)) / total;
}

/** Layer-tokens per second of decode calls of one token for each of so many sequences, in the middle of a mean answer. */
function decodeRate(files, rows, answerTokens) {
  const sequence = (i) => prompts[i % prompts.length].tokens;
  const contextSize = Math.max(...prompts.map(({ tokens }) => tokens.length)) + maxTokens + STEPS;
  const context = model.openContext({ sequences: rows, contextSize, threads }, files);
  const places = Array.from({ length: rows }, (_, i) => {
    const half = Array.from({ length: Math.round(answerTokens / 2) }, (__, j) => sequence(i)[j % sequence(i).length]);
    const tokens = [...sequence(i), ...half];
    context.prefill(tokens, i);
    return tokens.length;
  });
  const step = (n) => context.decode(places.map((place, i) => [sequence(i)[n], place + n, i, true]));
  step(0);
  const time = median(Array.from({ length: STEPS - 1 }, (_, n) => seconds(() => step(n + 1))));
  context.close();
  return (layers * rows) / time;
}

/** Numbers of rows of a decode call with their share of the work. */
function rowShares(rowsPerCall) {
  const given = typeof rowsPerCall === "object" ? Object.entries(rowsPerCall) : [[rowsPerCall ?? 1, 1]];
  const sorted = given.map(([rows, amount]) => [Math.max(1, Math.round(Number(rows))), amount]);
  const kept = sorted.sort((a, b) => b[1] - a[1]).slice(0, MOST_ROWS);
  const total = kept.reduce((sum, [, amount]) => sum + amount, 0);
  return kept.map(([rows, amount]) => [rows, amount / total]);
}

const answers = result.boundaries ? tokenCounts(workload, result.boundaries) : { decoded: 0 };
const answerTokens = result.boundaries ? answers.decoded / (result.boundaries.length * prompts.length) : maxTokens / 2;
const own = prompts.map(({ tokens }) => tokens.length);
const lengths = work.prefill.rowsPerCall ? [Math.round(work.prefill.rowsPerCall)] : own;
const shares = rowShares(work.decode.rowsPerCall);
const rates = { prefill: {}, decode: {} };
for (const [kind, files] of Object.entries(adapters)) {
  rates.prefill[kind] = prefillRate(files, lengths);
  rates.decode[kind] = {};
  for (const rows of new Set([1, ...shares.map(([count]) => count)])) {
    rates.decode[kind][rows] = decodeRate(files, rows, answerTokens);
  }
}

/** Seconds that these layer-tokens take at the measured rates. */
function limitOf({ prefill, decode }, rowsAndShares) {
  const inKinds = (of) => of("base") + of("adapter");
  const prefillSeconds = inKinds((kind) => prefill[kind] / rates.prefill[kind]);
  const decodeSeconds = rowsAndShares.reduce(
    (sum, [rows, share]) => sum + share * inKinds((kind) => decode[kind] / rates.decode[kind][rows]),
    0,
  );
  return { prefillSeconds, decodeSeconds, seconds: prefillSeconds + decodeSeconds };
}

const limit = {
  counted: counted !== undefined,
  work,
  rates,
  prefillLengths: lengths,
  limit: limitOf(work, shares),
  plain: plain && { work: plain, limit: limitOf(plain, [[1, 1]]) },
};
writeFileSync(limitPath, JSON.stringify(limit, null, 1));
