// Arm e, the engine's limit: how long the layer-tokens that arm a computed would take at the rates of a bare loop of llama_decode calls of the
// same shapes: no sampling, no text, no journal, no context made anew, no other process. The rates are those of whole passes with no adapter and
// with the whole adapter, so the output head is in them.
//
//   node limit.mjs WORKLOAD.json RESULT.json LIMIT.json
//
// RESULT is arm a's result as arms.mjs writes it, or a run's result.json with the same fields under `timings`:
//   work.prefill    { base, adapter }: layer-tokens (tokens times layers they went through) without and with adapter; optional rowsPerCall:
//                   tokens of one call, where prompts are not prefilled each by itself
//   work.decode     { KIND: { base, adapter } }: likewise, by the kind of call: "ROWS" of as many sequences, "ROWS/1" of a single one
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
/** Rows of the calls whose times are measured, of as many sequences and of a single one; the times between are on the line between two. */
const MEASURED = { many: [1, 2, 4, 8, 12, 16], one: [1, 4, 8, 16, 32, 63] };

const counted = result.work ?? result.timings?.work;
const plain = result.boundaries && plainWork(workload, result.boundaries);
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

/** Seconds of a decode call of one token for each of so many sequences, in the middle of a mean answer. */
function secondsOfMany(files, rows, answerTokens) {
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
  return time;
}

/** Seconds of a decode call of so many tokens behind a prompt. */
function secondsOfOne(files, rows) {
  const [{ tokens }] = prompts;
  const context = model.openContext(
    { sequences: 1, contextSize: tokens.length + (REPEATS + 1) * rows, threads },
    files,
  );
  context.prefill(tokens, 0);
  const step = (n) =>
    context.decode(
      Array.from({ length: rows }, (_, i) => [tokens[i % tokens.length], tokens.length + n * rows + i, 0, true]),
    );
  step(0);
  const time = median(Array.from({ length: REPEATS }, (_, n) => seconds(() => step(n + 1))));
  context.close();
  return time;
}

/** Seconds of a decode call of a kind, between the measured ones. */
function secondsOf(times, kind) {
  const [rows, of] = kind.split("/").map(Number);
  // Beyond 16 rows of several sequences some are drafts: several rows of one sequence.
  const name = of === 1 || rows > MEASURED.many.at(-1) ? "one" : "many";
  const grid = MEASURED[name];
  const above = Math.max(
    1,
    grid.findIndex((measured) => measured >= rows),
  );
  const [low, high] = [grid[above - 1], grid[above]];
  const at = (measured) => times[`${measured}${name === "one" && measured > 1 ? "/1" : ""}`];
  return at(low) + ((at(high) - at(low)) * (rows - low)) / (high - low);
}

const answers = result.boundaries ? tokenCounts(workload, result.boundaries) : { decoded: 0 };
const answerTokens = result.boundaries ? answers.decoded / (result.boundaries.length * prompts.length) : maxTokens / 2;
const own = prompts.map(({ tokens }) => tokens.length);
const lengths = work.prefill.rowsPerCall ? [Math.round(work.prefill.rowsPerCall)] : own;
const times = { prefill: {}, decode: {} };
for (const [kind, files] of Object.entries(adapters)) {
  times.prefill[kind] = prefillRate(files, lengths);
  times.decode[kind] = Object.fromEntries([
    ...MEASURED.many.map((rows) => [`${rows}`, secondsOfMany(files, rows, answerTokens)]),
    ...MEASURED.one.slice(1).map((rows) => [`${rows}/1`, secondsOfOne(files, rows)]),
  ]);
}

/** Seconds that these layer-tokens take at the measured rates. */
function limitOf({ prefill, decode }) {
  const inKinds = (of) => of("base") + of("adapter");
  const prefillSeconds = inKinds((kind) => prefill[kind] / times.prefill[kind]);
  const decodeSeconds = Object.entries(decode).reduce((sum, [call, counts]) => {
    const rows = Number(call.split("/")[0]);
    return sum + inKinds((kind) => (counts[kind] / (layers * rows)) * secondsOf(times.decode[kind], call));
  }, 0);
  return { prefillSeconds, decodeSeconds, seconds: prefillSeconds + decodeSeconds };
}

const rates = {
  prefill: times.prefill,
  decode: Object.fromEntries(
    Object.entries(times.decode).map(([kind, calls]) => [
      kind,
      Object.fromEntries(
        Object.entries(calls).map(([call, time]) => [call, (layers * Number(call.split("/")[0])) / time]),
      ),
    ]),
  ),
};
const limit = {
  counted: counted !== undefined,
  work,
  rates,
  prefillLengths: lengths,
  limit: limitOf(work),
  plain: plain && { work: plain, limit: limitOf(plain) },
};
writeFileSync(limitPath, JSON.stringify(limit, null, 1));
