import { Command, Option } from "commander";
import { scoreOutputs } from "../compare/score-outputs.js";
import { UsageError } from "../errors.js";
import { stableJson } from "../files/stable-json.js";
import { metricNames, metricsByList } from "../metrics/registry.js";
import { scoresReport } from "../report/scores.js";
import { parseMap } from "../samples/field-map.js";
import { ANSWERABLE } from "../samples/prediction-pairs.js";
import { loadPredictions } from "../samples/predictions.js";
import { languageOfPath } from "../samples/languages.js";
import { rescore } from "../sweep/rescore.js";
import { rulesOfFormat } from "../sweep/inputs/scoring.js";
import { sweepReport } from "../report/terminal.js";
import { regexExtraction } from "../tasks/extraction.js";
import { takesImports } from "./import-modules.js";
import { note, print } from "./output.js";
import { scoringFlags, type ScoringFlags } from "./scoring-flags.js";
import { wholeNumber } from "./values.js";

interface ScoreFlags extends ScoringFlags {
  readonly data?: string;
  readonly references?: string;
  readonly map?: string;
  readonly filter?: string;
  readonly seed?: number;
  readonly json?: boolean;
}

/** `boundary score`: a file of outputs, ours or not, or a finished run under other metrics or another rule. Generates nothing. */
export function scoreCommand(): Command {
  const command = new Command("score")
    .description(
      "score outputs, ours or not, or a finished run again under other metrics or another rule; generates nothing",
    )
    .argument("[run]", "folder of a finished sweep, instead of --data")
    .option(
      "-d, --data <file>",
      "JSONL with `prediction` and `references`, samples of lm-evaluation-harness, or with --references: predictions by id, or plain text",
    )
    .option(
      "--references <files>",
      "data set that predictions by id answer (SQuAD, HotpotQA, JSONL), or plain text, line for line with --data",
    )
    .option("--filter <name>", "of samples of lm-evaluation-harness: the filter whose outputs are scored")
    .option("--map <fields>", "fields of other JSONL: prediction=output,references=gold")
    .addOption(new Option("--seed <n>", "seed of the bootstrap").argParser(wholeNumber))
    .option("--json", "one JSON document on stdout with every sample's values, nothing else")
    .addHelpText(
      "after",
      `\nMetrics: ${metricNames().join(", ")}; with options as in bleu:tok=zh, rouge1:stemmer=yes, chrf:word-order=2.`,
    );
  for (const option of scoringFlags()) command.addOption(option);
  return takesImports(command).action(async (run: string | undefined, flags: ScoreFlags) => {
    if (run === undefined) await scoreFile(flags);
    else await scoreRun(run, flags);
  });
}

async function scoreFile(flags: ScoreFlags): Promise<void> {
  const { data, references, map, filter, json } = flags;
  if (data === undefined) {
    throw new UsageError({ what: "nothing to score", expected: "--data FILE, or the folder of a finished run" });
  }
  if (
    flags.rule !== undefined ||
    flags.metric !== undefined ||
    flags.floor !== undefined ||
    flags.margin !== undefined
  ) {
    throw new UsageError({
      what: "--rule, --metric, --margin and --floor choose a boundary, and a file of outputs has none",
      fix: "Name metrics with --metrics, or give the folder of a run.",
    });
  }
  const paths = references?.split(",").map((path) => path.trim());
  const loaded = await loadPredictions(data, {
    ...(map === undefined ? {} : { map: parseMap(map) }),
    ...(paths === undefined ? {} : { references: paths }),
    ...(filter === undefined ? {} : { filter }),
  });
  const language = flags.targetLanguage ?? (paths?.[0] === undefined ? undefined : languageOfPath(paths[0]));
  const usual = loaded.format === "hotpotqa" ? "em,f1,precision,recall" : "em,f1";
  const metrics = metricsByList(flags.metrics ?? usual, {
    rules: flags.qaScript === undefined || flags.qaScript === "auto" ? rulesOfFormat(loaded.format) : flags.qaScript,
    targetLanguage: language,
  });
  const scores = scoreOutputs(loaded.predictions, {
    metrics,
    extract: flags.extract === undefined ? undefined : regexExtraction(flags.extract),
    stripThoughts: flags.stripThoughts ?? false,
    groupBy: flags.groupBy ?? (loaded.format === "squad2.0" ? ANSWERABLE : undefined),
    seed: flags.seed ?? 0,
  });
  const { format, sha256 } = loaded;
  const notes = [...loaded.notes, ...scores.notes];
  if (json) print(stableJson({ data: { path: data, format, sha256 }, ...scores, notes }));
  else {
    for (const text of notes) note(text);
    print(`${scoresReport(scores)}\n`);
  }
}

async function scoreRun(folder: string, { json, data, references, map, filter, ...flags }: ScoreFlags): Promise<void> {
  if ([data, references, map, filter].some((given) => given !== undefined)) {
    throw new UsageError({
      what: "a run has its own samples",
      fix: "Leave --data, --references, --map and --filter out.",
    });
  }
  const result = await rescore(folder, flags);
  print(json ? stableJson(result) : `${sweepReport(result)}\n`);
}
