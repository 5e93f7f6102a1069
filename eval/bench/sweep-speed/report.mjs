import { readFileSync } from "node:fs";
import { arms, rivals } from "./arms.mjs";
import { median, tokenCounts } from "./counts.mjs";

/** Per cent of a core that other processes may take during an arm. */
const DISTURBED = 10;
const fixed = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "-");
const megabytes = (bytes) => fixed(bytes / 1e6, 0);
const whole = (value) => Math.round(value).toLocaleString("en");
const spread = (values) =>
  values.length > 1
    ? `${fixed(median(values))} (${fixed(Math.min(...values))} to ${fixed(Math.max(...values))})`
    : fixed(values[0]);
const table = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The whole report. @param bench what sweep-speed.mjs gathered */
export function markdown(bench) {
  const { settings, needs, workloads, runs, grown } = bench;
  const parts = [
    `# Time of a sweep against other ways to do it`,
    machine(bench),
    settingsText(settings, needs, workloads),
  ];
  for (const group of groupsOf(workloads, runs)) parts.push(...groupSections(group, bench));
  if (grown) parts.push(...growthSections(grown));
  return `${parts.join("\n\n")}\n`;
}

function machine({ facts, runs }) {
  const others = runs.map((run) => (run.othersCpuSeconds / run.wallSeconds) * 100).filter(Number.isFinite);
  const { cores, simd, release, nodeLlamaCpp, node, seconds } = facts;
  return (
    `${cores} CPU cores (${simd}), llama.cpp ${release} through node-llama-cpp ${nodeLlamaCpp}, Node ${node}; all arms in one run of ` +
    `${fixed(seconds / 60, 0)} minutes. Other processes took at most ${fixed(Math.max(0, ...others), 1)} % of a core in any arm. Numbers belong to this machine: trust the ratios.${Math.max(0, ...others) > DISTURBED ? " **Arms were disturbed: repeat the run with nothing else running.**" : ""}`
  );
}

function settingsText({ command, rounds, roundsBf16, threads }, { mainType, absent }, workloads) {
  const lines = [...new Map(workloads.map((one) => [one.name, one])).values()].map(
    ({ name, prompts, boundaries, maxTokens }) => {
      const lengths = prompts.map(({ tokens }) => tokens.length);
      return (
        `- ${name}: ${prompts.length} samples of ${Math.min(...lengths)} to ${Math.max(...lengths)} prompt tokens, ${boundaries.length} boundaries, ` +
        `at most ${maxTokens} tokens an answer`
      );
    },
  );
  return [
    `\`${command}\`\n`,
    `The base is ${mainType}; ${threads} threads, ${rounds} round(s) in which the arms take turns (BF16: ${roundsBf16}).`,
    ...[
      "Every arm gets the same prompts as token ids and the same boundaries, answers greedily and ends at end-of-generation tokens.\n",
    ],
    ...lines,
    ...absent.map((sentence) => `- left out: ${sentence}`),
  ].join("\n");
}

function groupsOf(workloads, runs) {
  return workloads
    .map((workload) => ({
      workload,
      runs: runs.filter((run) => arms[run.arm].kind === workload.kind && run.workload === workload.name),
    }))
    .filter((group) => group.runs.length > 0);
}

function groupSections({ workload, runs }, { limits, differences, needs }) {
  const names = [...new Set(runs.map(({ arm }) => arm))];
  const of = (arm) => runs.filter((run) => run.arm === arm);
  const head = `## ${workload.name}, ${workload.kind === "bf16" ? "BF16" : needs.mainType}`;
  const sections = [head, timesTable(workload, names, of)];
  const ours = names.find((name) => name === "a" || name === "a-bf16");
  if (ours) sections.push(ratiosTable(workload, names, of, ours));
  const own = limits.filter((limit) => limit.workload === workload.name);
  if (ours === "a" && own.length > 0) sections.push(limitText(own, of("a")));
  const [last] = ours ? of(ours) : [];
  if (last?.work) sections.push(workText(last.work));
  sections.push(...equalityText(workload, differences));
  return sections;
}

function timesTable(workload, names, of) {
  const rows = names.map((name) => {
    const own = of(name);
    const each = (pick) => own.map(pick);
    const { boundaries, prefilledTokens } = own[0];
    const { prefilled, decoded } = tokenCounts(workload, boundaries);
    const answers = boundaries.length * workload.prompts.length;
    const sweep = each((run) => run.sweepSeconds);
    return [
      ...[`**${name}** ${arms[name].title}`, spread(sweep), fixed(median(sweep) / answers, 3)],
      ...[spread(each((run) => run.wallSeconds)), fixed(median(each((run) => run.wallSeconds - run.sweepSeconds)))],
      ...[spread(each((run) => run.cpuSeconds)), megabytes(Math.max(...each((run) => run.peakBytes)))],
      ...[whole(prefilledTokens ?? prefilled), whole(decoded)],
    ];
  });
  const heads = [
    ...["arm", "sweep s", "s an answer", "whole process s", "of which outside the sweep", "CPU s", "peak MB"],
    ...["prompt tokens", "decoded tokens"],
  ];
  return (
    table(heads, rows) +
    "\n\nMedians (lowest to highest). *sweep s*: without the start of processes, the loading of models and, for boundary, what comes after the last answer; llama-server's restarts are outside too. *CPU s*: the whole " +
    "process tree. *peak MB*: the processes' peaks added up. For boundary the tokens are those that its answers stand for; how many it computed is below."
  );
}

function ratiosTable(workload, names, of, ours) {
  const perRound = (name, pick) =>
    of(name).flatMap((run) => {
      const own = of(ours).find(({ round }) => round === run.round);
      return own ? [pick(run) / pick(own)] : [];
    });
  const rows = names
    .filter((name) => name !== ours)
    .map((name) => [
      name,
      ...[(run) => run.sweepSeconds, (run) => run.wallSeconds, (run) => run.cpuSeconds].map((pick) =>
        spread(perRound(name, pick)),
      ),
    ]);
  const best = (pick) => {
    const candidates = names.filter((name) => rivals.includes(name) && of(name).length > 0);
    const [first] = candidates.map((name) => [median(of(name).map(pick)), name]).sort(([a], [b]) => a - b);
    return first && `${fixed(median(perRound(first[1], pick)))} (${first[1]})`;
  };
  const sweep = best((run) => run.sweepSeconds);
  const process = best((run) => run.wallSeconds);
  const claim = sweep
    ? `\n\n**The best of ${names.filter((name) => rivals.includes(name)).join(", ")} takes ${sweep} times as long in the sweep, ${process} for the whole process.**`
    : "";
  return `Time of the others divided by that of ${ours}, within each round:\n\n${table(["arm", "sweep", "whole process", "CPU"], rows)}${claim}`;
}

function limitText(limits, runs) {
  const [{ work, plain, counted, rates }] = limits;
  const middle = (pick) => median(limits.map(pick));
  const ratios = limits.map(({ limit, round }) => runs.find((run) => run.round === round).sweepSeconds / limit.seconds);
  const rateRow = (title, pick) => [
    title,
    ...["base", "adapter"].map((kind) => whole(middle((one) => pick(one)[kind]))),
  ];
  const rateRows = [
    rateRow("prefill", (one) => one.rates.prefill),
    ...Object.keys(rates.decode.base).map((call) => {
      const [rows, of] = call.split("/");
      const title = `decode, ${rows} row${rows === "1" ? "" : "s"} a call${of ? " of one sequence" : ""}`;
      return rateRow(title, ({ rates: { decode } }) => ({ base: decode.base[call], adapter: decode.adapter[call] }));
    }),
  ];
  const decoded = ({ decode }, kind) => Object.values(decode).reduce((sum, counts) => sum + counts[kind], 0);
  const workRow = (title, one, pick) => [
    title,
    ...[one.prefill.base, one.prefill.adapter, decoded(one, "base"), decoded(one, "adapter")].map(whole),
    ...["prefillSeconds", "decodeSeconds", "seconds"].map((name) => fixed(middle((limit) => pick(limit)[name]))),
  ];
  const workRows = [
    workRow(counted ? "computed by boundary" : "counted as the plain way", work, ({ limit }) => limit),
    ...(counted && plain ? [workRow("the plain way, one row a call", plain.work, (one) => one.plain.limit)] : []),
  ];
  const heads = ["layer-tokens", "prefill base", "with adapter", "decode base", "with adapter"];
  return (
    `**e**, the engine's limit: boundary takes ${spread(ratios)} times as long as its work takes in a bare loop of llama_decode calls.\n\n` +
    `${table([...heads, "prefill s", "decode s", "limit s"], workRows)}\n\n` +
    `Layer-tokens a second of the bare loop:\n\n${table(["shape", "base", "with adapter"], rateRows)}`
  );
}

function workText({ saved }) {
  if (!saved) return "";
  const rows = Object.entries(saved).map(([trick, value]) => [
    trick,
    typeof value === "number" ? whole(value) : JSON.stringify(value),
  ]);
  return `Layer-tokens that boundary did not compute:\n\n${table(["trick", "saved"], rows)}`;
}

function equalityText(workload, differences) {
  const own = differences.filter((one) => one.workload === workload.name && arms[one.arm].kind === workload.kind);
  if (own.length === 0) return [];
  const summary = table(
    ["arm", "answers", "equal", "differing", "largest top-2 gap there"],
    own.map(({ arm, answers, equal, differences: all }) => {
      const found = all.flatMap(({ gap }) => (gap ? [gap.topTwoGap] : []));
      const largest = found.length > 0 ? `${fixed(Math.max(...found), 4)} (of ${found.length})` : "-";
      return [arm, answers, equal, answers - equal, largest];
    }),
  );
  const listed = own
    .filter(({ arm }) => arm === "a" || arm === "a-bf16")
    .flatMap(({ differences: all }) => all)
    .map(({ boundary, id, position, expected, actual, gap }) => [
      ...[boundary, id, position, expected ?? "end", actual ?? "end"],
      ...(gap ? [...gap.logProbabilities, gap.topTwoGap].map((value) => fixed(value, 4)) : ["-", "-", "-"]),
    ]);
  const reference = arms[own[0].arm].by;
  const heads = ["K", "sample", "position", `${reference}'s token`, "ours", "its log-probability", "ours", "top-2 gap"];
  return [
    `Tokens against ${reference}'s:\n\n${summary}`,
    ...(listed.length > 0 ? [`Where ours first differ:\n\n${table(heads, listed)}`] : []),
  ];
}

function growthSections({ boundaries, samples }) {
  const rows = (list, axis) => {
    const [first] = list;
    return list.map((one) => [
      one.boundaries,
      one.samples,
      one.answers,
      ...[megabytes(one.enginePeakBytes), `x${fixed(one.enginePeakBytes / first.enginePeakBytes)}`],
      ...[megabytes(one.ownPeakBytes), `x${fixed(one.ownPeakBytes / first.ownPeakBytes)}`],
      ...[fixed(one.sweepSeconds), fixed(one.sweepSeconds / one[axis], 3)],
    ]);
  };
  const heads = ["boundaries", "samples", "answers", "engine MB", "ratio", "boundary itself MB", "ratio", "sweep s"];
  return [
    "## Memory and time against boundaries",
    table([...heads, "s a boundary"], rows(boundaries, "boundaries")),
    "## Memory and time against samples",
    table([...heads, "s a sample"], rows(samples, "samples")),
  ];
}

/** What kind of vectors the CPU computes with, without its name. */
export function simdOf() {
  try {
    const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))[1].trim().split(" "));
    const known = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"];
    const [has, lacks] = [known.filter((flag) => flags.has(flag)), known.filter((flag) => !flags.has(flag))];
    return `${has.join(", ")}${lacks.length > 0 ? `; no ${lacks[0]}` : ""}`;
  } catch {
    return process.arch;
  }
}
