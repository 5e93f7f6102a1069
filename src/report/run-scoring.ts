import { settingsFromFile, sweepConfigSchema } from "../sweep/config.js";
import { resolveSettings } from "../settings.js";
import { thoughtsOfRun, type FinishedRun } from "../run/load-run.js";
import { scoringOf, type Scoring } from "../sweep/inputs/scoring.js";
import { taskByName } from "../tasks/task.js";

/**
 * What the answers of a finished run were scored with, from its own settings.
 * @throws UsageError for settings that this version does not know.
 */
export function runScoring({ result, folder }: Pick<FinishedRun, "result" | "folder">): Scoring {
  const own = settingsFromFile(result.config, `${folder}/result.json`);
  const config = resolveSettings(sweepConfigSchema, "report", [own, { out: folder }]);
  const { format, targetLanguage } = result.data;
  const data = { format, thoughts: thoughtsOfRun(result), ...(targetLanguage === undefined ? {} : { targetLanguage }) };
  return scoringOf(config, taskByName(config.task ?? "qa"), data);
}
