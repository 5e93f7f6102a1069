import { Command, Option } from "commander";
import { scoreOutputs } from "../compare/score-outputs.js";
import { UsageError } from "../errors.js";
import { stableJson } from "../formats/stable-json.js";
import { metricNames, metricsByList } from "../metrics/registry.js";
import { oneLine } from "../report/paint.js";
import { scoresReport } from "../report/scores.js";
import { parseMap } from "../samples/field-map.js";
import { loadPredictions } from "../samples/predictions.js";
import { languageOfPath } from "../samples/languages.js";
import { rescore } from "../sweep/rescore.js";
import { sweepReport } from "../report/terminal.js";
import { regexExtraction } from "../tasks/extraction.js";
import { print, say } from "./output.js";
import { scoringFlags, type ScoringFlags } from "./scoring-flags.js";
import { wholeNumber } from "./values.js";

interface ScoreFlags extends ScoringFlags {
  readonly data?: string;
  readonly references?: string;
  readonly map?: string;
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
    .option("-d, --data <file>", "JSONL with `prediction` and `references`, or plain text with --references")
    .option("--references <files>", "plain text with the references, line for line with --data")
    .option("--map <fields>", "fields of other JSONL: prediction=output,references=gold")
    .addOption(new Option("--seed <n>", "seed of the bootstrap").argParser(wholeNumber))
    .option("--json", "one JSON document on stdout with every sample's values, nothing else")
    .addHelpText(
      "after",
      `\nMetrics: ${metricNames.join(", ")}; with options as in bleu:tok=zh, rouge1:stemmer=yes, chrf:word-order=2.`,
    );
  for (const option of scoringFlags()) command.addOption(option);
  return command.action(async (run: string | undefined, flags: ScoreFlags) => {
    if (run === undefined) await scoreFile(flags);
    else await scoreRun(run, flags);
  });
}

async function scoreFile(flags: ScoreFlags): Promise<void> {
  const { data, references, map, json } = flags;
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
  });
  const language = flags.targetLanguage ?? (paths?.[0] === undefined ? undefined : languageOfPath(paths[0]));
  const metrics = metricsByList(flags.metrics ?? "em,f1", {
    rules: flags.rules === undefined || flags.rules === "auto" ? "squad" : flags.rules,
    targetLanguage: language,
  });
  const scores = scoreOutputs(loaded.predictions, {
    metrics,
    extract: flags.extract === undefined ? undefined : regexExtraction(flags.extract),
    groupBy: flags.groupBy,
    seed: flags.seed ?? 0,
  });
  const { format, sha256, notes } = loaded;
  if (json) print(stableJson({ data: { path: data, format, sha256 }, notes, ...scores }));
  else {
    for (const note of notes) say(oneLine(`note: ${note}`));
    print(`${scoresReport(scores)}\n`);
  }
}

async function scoreRun(folder: string, { json, data, references, map, ...flags }: ScoreFlags): Promise<void> {
  if (data !== undefined || references !== undefined || map !== undefined) {
    throw new UsageError({ what: "a run has its own samples", fix: "Leave --data, --references and --map out." });
  }
  const result = await rescore(folder, flags);
  print(json ? stableJson(result) : `${sweepReport(result)}\n`);
}
