import { Command, Option } from "commander";
import { basename, join } from "node:path";
import { at } from "../assert.js";
import { readBaseModel, withSha256 } from "../adapter/base-model.js";
import { judgeRun, type JudgedSystem } from "../compare/judge-run.js";
import { runAnswers } from "../compare/run-answers.js";
import { parseSystems } from "../compare/systems.js";
import { gpuChoices, type Engine, type GpuChoice } from "../engine/engine.js";
import { openEngine } from "../engine/process-engine.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { UsageError } from "../errors.js";
import { writeTextAtomic } from "../files/atomic-file.js";
import { InputFiles } from "../files/input-files.js";
import { stableJson } from "../files/stable-json.js";
import { JudgeCache } from "../judge/cache.js";
import { endpointJudge, judgeApiKey } from "../judge/endpoint.js";
import type { JudgeModel } from "../judge/judge-model.js";
import { localJudge } from "../judge/local.js";
import { judgeReport } from "../report/judge.js";
import { parseMap } from "../samples/field-map.js";
import { loadPredictions } from "../samples/predictions.js";
import type { Sample } from "../samples/sample.js";
import { guardedEngine, openUnchanged } from "../sweep/guarded-engine.js";
import { loadRun } from "../run/load-run.js";
import { chatFormatter } from "../tasks/chat.js";
import { withoutThoughts } from "../tasks/thoughts.js";
import { print } from "./output.js";
import { wholeNumber } from "./values.js";

interface JudgeFlags {
  readonly judge: readonly string[];
  readonly data?: string;
  readonly map?: string;
  readonly task?: string;
  readonly systems: string;
  readonly pairs?: boolean;
  readonly prompt?: string;
  readonly pairPrompt?: string;
  readonly maxTokens?: number;
  readonly concurrency?: number;
  readonly timeout?: number;
  readonly gpu: GpuChoice;
  readonly threads?: number;
  readonly seed: number;
  readonly cache?: string;
  readonly json?: boolean;
}

/** `boundary judge`: language models mark the answers of a finished run or of a file, and compare them pairwise. */
export function judgeCommand(signal: AbortSignal): Command {
  const collect = (value: string, earlier: readonly string[] = []): string[] => [...earlier, value];
  return new Command("judge")
    .description(
      "have language models mark the answers of a finished run or of a file of outputs; rerun it to ask what is missing",
    )
    .argument("[run]", "folder of a finished sweep, instead of --data")
    .requiredOption(
      "--judge <model>",
      "MODEL@URL of an OpenAI-compatible endpoint, or a GGUF file; repeatable, marks are averaged",
      collect,
    )
    .option("-d, --data <file>", "JSONL with `prediction`, `references` and the source's fields")
    .option("--map <fields>", "fields of other JSONL: prediction=output,references=gold")
    .option("-t, --task <name>", "whose question is asked (default: the run's task, or custom)")
    .option(
      "--systems <list>",
      "of a run: what is judged, the first being what the others are compared with",
      "full,base,chosen",
    )
    .option("--pairs", "also ask which of two answers is better, in both orders")
    .option("--prompt <file>", "jinja file with the question for a mark")
    .option("--pair-prompt <file>", "jinja file with the question for a pair")
    .addOption(
      new Option(
        "--max-tokens <n>",
        "most tokens of a verdict (default 16; reasoning models need thousands)",
      ).argParser(wholeNumber),
    )
    .addOption(new Option("--concurrency <n>", "questions to one judge at once (default 4)").argParser(wholeNumber))
    .addOption(new Option("--timeout <seconds>", "for one answer of an endpoint (default 60)").argParser(wholeNumber))
    .addOption(new Option("--gpu <backend>", "for a GGUF judge").choices(gpuChoices).default("auto"))
    .addOption(new Option("--threads <n>", "for a GGUF judge").argParser(wholeNumber))
    .addOption(new Option("--seed <n>", "of the intervals").argParser(wholeNumber).default(0))
    .option("--cache <file>", "where answers are kept (default: judge.jsonl in the run, or DATA.judge.jsonl)")
    .option("--json", "one JSON document on stdout, nothing else")
    .addHelpText(
      "after",
      "\nKeys: BOUNDARY_JUDGE_API_KEY, or OPENAI_API_KEY for OpenAI's own endpoint. They are written nowhere.",
    )
    .action(async (run: string | undefined, flags: JudgeFlags) => {
      await judge(run, flags, signal);
    });
}

async function judge(run: string | undefined, flags: JudgeFlags, signal: AbortSignal): Promise<void> {
  const work = run === undefined ? await workOfFile(flags) : await workOfRun(run, flags);
  const engines: Engine[] = [];
  const cache = await JudgeCache.open(flags.cache ?? work.cachePath);
  const stop = (): void => {
    for (const engine of engines) void engine.close();
  };
  signal.addEventListener("abort", stop);
  try {
    const judges: JudgeModel[] = [];
    for (const spec of flags.judge) judges.push(await openJudge(spec, flags, engines));
    const result = await judgeRun(judges, {
      ...work,
      cache,
      signal,
      pairs: flags.pairs ?? false,
      scorePrompt: flags.prompt,
      pairPrompt: flags.pairPrompt,
      seed: flags.seed,
      ...(flags.concurrency === undefined ? {} : { concurrency: flags.concurrency }),
    });
    const { failure, ...rest } = result;
    const document = { ...rest, ...(failure === undefined ? {} : { failure: failure.message }) };
    if (run !== undefined) await writeTextAtomic(join(run, "judge.json"), stableJson(document));
    print(flags.json ? stableJson(document) : `${judgeReport(result)}\n`);
    if (failure) throw failure;
  } finally {
    signal.removeEventListener("abort", stop);
    await cache.close();
    for (const engine of engines) await engine.close();
  }
}

interface Work {
  readonly task: string;
  readonly samples: readonly Sample[];
  readonly systems: readonly JudgedSystem[];
  readonly dataPath: string;
  readonly cachePath: string;
}

async function workOfRun(folder: string, { systems: names, task, data }: JudgeFlags): Promise<Work> {
  if (data !== undefined) throw new UsageError({ what: "a run has its own samples", fix: "Leave --data out." });
  const { result } = await loadRun(folder);
  const asked = names.split(",").map((name) => name.trim());
  const wanted = asked.map((name) => `${folder}#${name}`);
  const parsed = parseSystems(wanted.length === 1 ? [...wanted, ...wanted] : wanted, false).slice(0, wanted.length);
  const runs = parsed.map((system, i) => {
    if (system.kind === "run") return system;
    throw new UsageError({
      what: "--systems names a system that a run does not have",
      actual: JSON.stringify(at(asked, i)),
      expected: "base, full, chosen or K=...",
    });
  });
  const answers = await Promise.all(runs.map(runAnswers));
  return {
    task: task ?? taskOf(result.config),
    samples: at(answers, 0).samples,
    systems: answers.map(({ name, boundary, rows, thoughts }) => ({
      name: name.slice(basename(folder).length + 1),
      boundary,
      answers: rows.map(({ output }) => withoutThoughts(output, thoughts)),
    })),
    dataPath: folder,
    cachePath: join(folder, "judge.jsonl"),
  };
}

function taskOf({ task }: Readonly<Record<string, unknown>>): string {
  return typeof task === "string" ? task : "custom";
}

async function workOfFile({ data, map, task }: JudgeFlags): Promise<Work> {
  if (data === undefined) {
    throw new UsageError({ what: "nothing to judge", expected: "the folder of a finished run, or --data FILE" });
  }
  const { predictions } = await loadPredictions(data, map === undefined ? {} : { map: parseMap(map) });
  return {
    task: task ?? "custom",
    samples: predictions,
    systems: [{ name: basename(data), answers: predictions.map(({ prediction }) => prediction) }],
    dataPath: data,
    cachePath: `${data}.judge.jsonl`,
  };
}

async function openJudge(spec: string, flags: JudgeFlags, engines: Engine[]): Promise<JudgeModel> {
  const limit = flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens };
  const endpoint = /^(.+?)@(https?:\/\/.+)$/.exec(spec);
  if (endpoint?.[1] !== undefined && endpoint[2] !== undefined) {
    const apiKey = judgeApiKey(endpoint[2], process.env);
    return endpointJudge({
      baseUrl: endpoint[2],
      model: endpoint[1],
      ...limit,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(flags.timeout === undefined ? {} : { timeoutMs: 1000 * flags.timeout }),
    });
  }
  const model = await withSha256(await readBaseModel(await resolveModelPath(spec)));
  const files = new InputFiles(model.sources);
  const open = (): Promise<Engine> =>
    openEngine({
      modelPath: model.path,
      gpu: flags.gpu,
      gpuLayers: "auto",
      ...(flags.threads === undefined ? {} : { threads: flags.threads }),
    });
  const engine = guardedEngine(await openUnchanged(files, open), files);
  engines.push(engine);
  return localJudge({
    engine,
    format: chatFormatter(model, model.chatTemplate === undefined ? "raw" : "chat", undefined),
    name: basename(spec),
    modelSha256: model.sha256,
    contextSize: Math.min(model.trainContextSize, 8192),
    ...limit,
  });
}
