// Time, CPU and memory of a boundary sweep against doing the same by hand, with llama-server, with PEFT, and against the engine's own limit.
// The report is Markdown on standard output; progress goes to standard error. Nothing else may run meanwhile: llama.cpp's threads spin.
//
//   node eval/bench/sweep-speed.mjs [--work DIR] [--workbench DIR] [--base GGUF] [--python PATH] [--llama-server PATH] [--boundaries all]
//     [--samples-qa 4] [--samples-math 2] [--max-tokens-qa 32] [--max-tokens-math 192] [--rounds 2] [--rounds-bf16 1] [--only a,b,c2]
//     [--tasks qa,math] [--threads N] [--sweep-flags "--sequences 16"] [--json FILE]
//
// --work keeps models, the built llama-server, adapters and results (600 MB) for the next time; without it they go into a folder that is
// deleted. Parts, for --only: a b b2 c c2 c2-8 c2-cache (on the base as Q8_0), a-bf16 b-bf16 d (BF16), e, growth; not run unless named: c-8
// c-cache. By default about 40 minutes on 2 cores where an answer takes 0.5 s (QA) and 2.5 s (math).
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { arms, gaps, runArm, runLimit } from "./sweep-speed/arms.mjs";
import { compareTokens } from "./sweep-speed/equality.mjs";
import { growth } from "./sweep-speed/growth.mjs";
import { findNeeds } from "./sweep-speed/needs.mjs";
import { markdown, simdOf } from "./sweep-speed/report.mjs";
import { root } from "./sweep-speed/root.mjs";
import { makeWorkloads } from "./sweep-speed/workload.mjs";

const { usableCores } = await import(join(root, "dist/engine/machine.js"));
const text = (value) => ({ type: "string", ...(value !== undefined && { default: value }) });
const { values: args } = parseArgs({
  options: {
    ...{ work: text(), workbench: text(join(root, "../shared/workbench")), base: text(), python: text() },
    ...{ "llama-server": text(), boundaries: text("all"), "samples-qa": text("4"), "samples-math": text("2") },
    ...{ "max-tokens-qa": text("32"), "max-tokens-math": text("192"), rounds: text("2"), "rounds-bf16": text("1") },
    ...{
      only: text(),
      tasks: text("qa,math"),
      threads: text(String(usableCores())),
      "sweep-flags": text(""),
      json: text(),
    },
  },
});
const BY_DEFAULT = ["a", "b", "b2", "c", "c2", "c2-8", "c2-cache", "a-bf16", "b-bf16", "d", "e", "growth"];
/** Differences to whose tokens the log-probabilities are computed: for ours, and for each other arm. */
const MOST_GAPS = { ours: 60, others: 20 };
/** Share of one core that other processes may take before an arm counts as disturbed. */
const DISTURBED = 0.1;

const started = performance.now();
const say = (line) => process.stderr.write(`${((performance.now() - started) / 1e3).toFixed(0)} s  ${line}\n`);
const parts = new Set(args.only?.split(",") ?? BY_DEFAULT);
for (const part of parts) if (!(part in arms) && !["e", "growth"].includes(part)) throw new Error(`no part ${part}`);
const work = args.work ? resolve(args.work) : mkdtempSync(join(tmpdir(), "boundary-sweep-speed-"));
mkdirSync(work, { recursive: true });

try {
  const found = findNeeds({
    ...{ work, workbench: args.workbench, base: args.base, python: args.python, llamaServer: args["llama-server"] },
    build: [...parts].some((part) => /^c/.test(part)),
    peft: [...parts].some((part) => part === "d" || part.endsWith("-bf16")),
  });
  const needs = { ...found, sweepFlags: args["sweep-flags"].split(" ").filter(Boolean) };
  say(
    `needs: a workbench, Python with gguf and numpy; for c llama-server or git, cmake and c++; for d torch, transformers and peft`,
  );
  for (const sentence of needs.absent) say(`left out: ${sentence}`);
  const workloads = await allWorkloads(needs);
  const bench = await measure(needs, workloads);
  process.stdout.write(markdown(bench));
  if (args.json) writeFileSync(args.json, `${JSON.stringify(bench, null, 1)}\n`);
} finally {
  if (!args.work) rmSync(work, { recursive: true, force: true });
}

async function allWorkloads({ models, workbench }) {
  const threads = Number(args.threads);
  const common = (name) => ({
    ...{ name, task: name, models, threads, boundaries: args.boundaries },
    ...{ samples: Number(args[`samples-${name}`]), maxTokens: Number(args[`max-tokens-${name}`]) },
  });
  const demo = (file) => join(root, "eval/demo", file);
  if (!workbench) {
    const files = { adapter: demo("adapter.gguf"), data: demo("validation.jsonl") };
    return makeWorkloads(work, { ...common("qa"), ...files });
  }
  const inBench = (file) => join(workbench, file);
  const data = { qa: "data/qa-selection.jsonl", math: "data/gsm8k-format.jsonl" };
  const workloads = [];
  for (const name of args.tasks.split(",")) {
    say(`prompts and adapter files: ${name}`);
    const adapter = inBench(`adapters/${name}/${name}.gguf`);
    const peft = inBench(`adapters/${name}/peft`);
    workloads.push(...(await makeWorkloads(work, { ...common(name), adapter, peft, data: inBench(data[name]) })));
  }
  return workloads;
}

/** Whether this machine has what an arm needs. */
function isPossible(name, needs) {
  const { kind } = arms[name];
  if (!(kind in needs.models)) return false;
  if (name === "d") return needs.python !== undefined;
  return !/^c/.test(name) || (needs.llamaServer !== undefined && existsSync(needs.llamaServer));
}

async function measure(needs, workloads) {
  const chosen = Object.keys(arms).filter((name) => parts.has(name) && isPossible(name, needs));
  const runs = [];
  const limits = [];
  const rounds = { main: Number(args.rounds), bf16: Number(args["rounds-bf16"]) };
  for (let round = 0; round < Math.max(...Object.values(rounds)); round++) {
    for (const workload of workloads) {
      const own = chosen.filter((name) => arms[name].kind === workload.kind && round < rounds[workload.kind]);
      // Every round begins with another arm, so that a machine that slows down does not always slow the same one.
      const first = own.length === 0 ? 0 : round % own.length;
      for (const name of [...own.slice(first), ...own.slice(0, first)]) {
        const run = attempt(name, workload, round, needs);
        if (run) runs.push(run);
        if (run && name === "a" && parts.has("e")) limits.push(limitOf(workload, run));
      }
    }
  }
  const differences = differencesOf(workloads, runs);
  const grown = parts.has("growth") ? grow(workloads, needs) : undefined;
  return { facts: factsOf(), settings: settingsOf(rounds), needs, workloads, runs, limits, differences, grown };
}

/** Runs an arm; one that fails is left out, with its reason, so that hours of others are not lost. */
function attempt(name, workload, round, needs) {
  const title = `round ${round + 1}, ${workload.name}, ${name}`;
  try {
    const run = runArm(name, workload, round, work, needs);
    say(`${title}: sweep ${run.sweepSeconds.toFixed(1)} s, whole ${run.wallSeconds.toFixed(1)} s`);
    if (run.othersCpuSeconds > DISTURBED * run.wallSeconds) {
      say(`  disturbed: other processes took ${run.othersCpuSeconds.toFixed(1)} s of CPU meanwhile`);
    }
    return run;
  } catch (error) {
    say(`${title} failed: ${error.message}`);
    const reason = /^\w*Error: .*$/m.exec(error.message)?.[0] ?? error.message.trim().split("\n").at(-1);
    needs.absent.push(`${title} failed: ${reason}`);
    return undefined;
  }
}

/** The limit is measured beside arm a in each round, so that both meet the same machine. */
function limitOf(workload, run) {
  const limit = runLimit(workload, run, work);
  say(`round ${run.round + 1}, ${workload.name}, e: limit ${limit.limit.seconds.toFixed(1)} s`);
  return limit;
}

function differencesOf(workloads, runs) {
  return workloads.flatMap((workload) => {
    const first = runs.filter(
      ({ arm, workload: name, round }) => name === workload.name && round === 0 && arms[arm].kind === workload.kind,
    );
    return first.flatMap((run) => {
      const reference = first.find(({ arm }) => arm === arms[run.arm].by);
      if (!reference || reference === run) return [];
      const compared = compareTokens(workload, reference.boundaries, run.boundaries);
      const most = /^a/.test(run.arm) ? MOST_GAPS.ours : MOST_GAPS.others;
      const asked = compared.differences.slice(0, most);
      const found = asked.length > 0 ? gaps(workload, asked.map(asItem), work) : [];
      const listed = compared.differences.map(({ prefix: _, ...one }, i) => ({ ...one, gap: found[i] }));
      return [{ arm: run.arm, workload: workload.name, ...compared, differences: listed }];
    });
  });
}

function asItem({ boundary, prefix, expected, actual }) {
  return { boundary, prefix, tokens: [expected, actual] };
}

function grow(workloads, needs) {
  say("memory and time against boundaries and samples");
  return growth(workloads[0], 2 * Number(args["samples-qa"]), work, needs.sweepFlags);
}

function settingsOf({ main, bf16 }) {
  const given = process.argv.slice(2).join(" ");
  const command = `node eval/bench/sweep-speed.mjs ${given}`.replaceAll(
    /(--(?:work|workbench|base|python|llama-server|json)) \S+/g,
    "$1 ...",
  );
  return { command: command.trim(), rounds: main, roundsBf16: bf16, threads: Number(args.threads) };
}

function factsOf() {
  const inPackage = (file) => JSON.parse(readFileSync(join(root, "node_modules/node-llama-cpp", file), "utf8"));
  const seconds = (performance.now() - started) / 1e3;
  return {
    ...{ cores: usableCores(), simd: simdOf(), node: process.versions.node, seconds },
    ...{
      release: inPackage("llama/binariesGithubRelease.json").release,
      nodeLlamaCpp: inPackage("package.json").version,
    },
  };
}
