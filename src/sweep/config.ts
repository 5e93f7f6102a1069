import { closest } from "fastest-levenshtein";
import { z } from "zod";
import { redact } from "../files/redact.js";
import { shellWord } from "../files/shell-word.js";
import { engineSettings } from "../engine/engine-settings.js";
import { UsageError } from "../errors.js";
import { chatLayoutNames } from "../samples/chat/chat-layouts.js";
import { strategyForms } from "../strategy/strategy.js";
import { ruleByName } from "../choice/rules.js";
import { camelCase, kebabCase, resolveSettings, type GivenSettings } from "../settings.js";

const positive = z.number().int().positive();
const text = z.string().min(1);

/** Every setting of a sweep. Flags and the YAML file use the same names in kebab-case. */
export const sweepConfigSchema = z.strictObject({
  model: text.describe("base model: path of a GGUF file, or a model URI such as hf:user/repo:Q4_K_M"),
  adapter: text.describe("LoRA adapter: path of a GGUF file, or a model URI"),
  data: text.describe(
    "validation samples: training data (chat, Alpaca, prompt and completion, ...), JSONL, or a published format of the task",
  ),
  references: text.optional().describe("translation: text file(s) with the references, line for line with --data"),
  layout: z
    .enum(["auto", "rows", ...chatLayoutNames])
    .default("auto")
    .describe("layout of training data; rows: fields of our own names"),
  turns: z
    .enum(["last", "all"])
    .default("last")
    .describe("conversations: the last answer is the reference, or every one with what was said before it"),
  onBadRow: z.enum(["fail", "skip"]).default("fail").describe("training data: when a row cannot be read"),
  task: text.optional().describe("what is asked of the model (default: chat for training data, else qa)"),
  out: text.describe("folder of the run; the same command run again resumes it"),
  strategy: text
    .optional()
    .describe(`which parts of the adapter are tried: ${strategyForms().join(", ")} (default: prefix, the boundaries)`),
  boundaries: text.optional().describe('boundaries to try: "all" (default), "0-30:5", "0,10,20"; "full" stands for L'),
  rule: text.default("no-worse").describe("how K is chosen from the scores on the selection part"),
  margin: z.number().positive().max(100).default(2).describe("rule no-worse: points that K may lose against full"),
  floor: text.optional().describe("bounds on other metrics: f1=-1.0,em=-2 is at most so many points below full"),
  limit: positive.optional().describe("use only the first N samples (before the split)"),
  seed: z.number().int().min(0).max(0xffffffff).default(0).describe("seed of the split and of the bootstrap"),
  holdout: z
    .union([text, z.number().min(0).lt(1)])
    .default(0.5)
    .describe("share of the samples that only confirms the choice, or a file with such samples; 0 for none"),
  folds: z
    .number()
    .int()
    .min(2)
    .max(50)
    .optional()
    .describe("nested cross-validation over all samples instead of a holdout, where data is scarce"),
  race: z
    .boolean()
    .optional()
    .describe(
      "drop boundaries as soon as the rule can no longer choose them, instead of asking all of them everything",
    ),
  screen: z
    .enum(["nll"])
    .optional()
    .describe("nll: generate only with boundaries that find the references probable enough, one prefill each"),
  maxTokens: positive.optional().describe("most tokens of an answer (default: the task's)"),
  ...engineSettings,
  redis: text
    .optional()
    .describe("have the workers of this queue answer: redis://host:6379, or rediss:// for TLS (see boundary worker)"),
  mixed: z
    .boolean()
    .optional()
    .describe(
      "with --redis: also workers of other backends, processors and quantisations, each answer marked with whose it is",
    ),
  fullHash: z
    .boolean()
    .optional()
    .describe(
      "with --redis: only workers that have read all of their model, not samples of it (boundary worker --full-hash)",
    ),
  contextSize: positive
    .optional()
    .describe("tokens of prompt and answer together (default: what the longest sample needs)"),
  sequences: z
    .union([positive.max(256), z.literal("auto")])
    .default("auto")
    .describe(
      "samples generated for at once; auto: 8 on a GPU; on a CPU as many as change no answer: each then equals that of a single run",
    ),
  fixedBatch: z
    .boolean()
    .optional()
    .describe("compute every token by itself, as a single run does: no batches, no drafts, no shared layers (slow)"),
  prompt: text.optional().describe("jinja file with the user message (default: the task's)"),
  system: z.string().optional().describe("system message (default: none of ours; a model's template may have its own)"),
  template: z
    .enum(["chat", "raw"])
    .optional()
    .describe("wrap prompts in the model's chat template, or not (default: chat if it has one)"),
  chatTemplate: text
    .optional()
    .describe(
      "the chat template that the adapter was trained on, where it is not the model's: a jinja file, or alpaca, chatml, gemma, ...",
    ),
  metric: text.optional().describe("metric that chooses the boundary (default: the task's)"),
  confirm: text
    .optional()
    .describe(
      "with --metric nll: metrics such as f1 for which the holdout alone is answered; the selection only weighs references",
    ),
  metrics: text.optional().describe("metrics to report, such as em,f1,bleu:tok=zh (default: the task's)"),
  groupBy: text.optional().describe("break scores down by this field of the samples; length:FIELD for buckets"),
  extract: text.optional().describe("regular expression that takes the answer out of an output; the last match counts"),
  stripThoughts: z
    .boolean()
    .optional()
    .describe(
      "do not score the thoughts of reasoning models, such as <think>...</think> (default: where the model's chat template has them)",
    ),
  import: z
    .union([text, z.array(text)])
    .optional()
    .describe("JavaScript modules that register metrics, tasks, strategies or rules of one's own"),
  qaScript: z
    .enum(["auto", "squad", "squad2", "hotpotqa"])
    .default("auto")
    .describe("official scoring script for EM and F1 (auto: from the data format)"),
  map: text.optional().describe("fields of other JSONL: question=q,answers=gold"),
  sourceLanguage: text
    .optional()
    .describe("translation: language of the source, such as en (default: as the data says)"),
  targetLanguage: text.optional().describe("translation: language of the references; it decides BLEU's tokenizer"),
  context: z.enum(["supporting", "all"]).default("supporting").describe("HotpotQA: which paragraphs"),
  onOverflow: z.enum(["fail", "skip"]).default("fail").describe("when a prompt does not fit the context"),
});

/** The resolved settings of a sweep. */
export type SweepConfig = z.output<typeof sweepConfigSchema>;

/** What a sweep can be told; model, adapter, data and out it must be told. Anything else has a default, or is left out. */
export type SweepSettings = z.input<typeof sweepConfigSchema>;

/** Names of the settings in kebab-case, as flags and YAML keys spell them. */
export const settingNames: readonly string[] = Object.keys(sweepConfigSchema.shape).map(kebabCase);

/**
 * Checks the settings of a sweep and fills in the defaults.
 * @throws UsageError naming every setting that is wrong.
 */
export function resolveConfig(settings: SweepSettings): SweepConfig {
  return parseConfig(settings);
}

/**
 * Merges the settings of a sweep as they come from flags or a file, the first source that names one winning, and checks them.
 * @param sources settings by their camelCase names: flags first, then the file.
 * @throws UsageError naming every setting that is missing or wrong.
 */
export function parseConfig(...sources: readonly GivenSettings[]): SweepConfig {
  const config = resolveSettings(sweepConfigSchema, "sweep", sources);
  ruleByName(config.rule);
  return config;
}

/** Names that settings had in results and files of earlier versions. */
const RENAMED: ReadonlyMap<string, string> = new Map([["rules", "qa-script"]]);

/**
 * The settings of a parsed YAML file under their camelCase names. Lists of boundaries and a mapping for `map` are taken too.
 * @throws UsageError for a key that is not a setting, with the nearest name.
 */
export function settingsFromFile(document: unknown, path: string): GivenSettings {
  if (document === null || document === undefined) return {};
  if (typeof document !== "object" || Array.isArray(document)) {
    throw new UsageError({ what: `${path} is not a list of settings`, expected: "lines such as `model: base.gguf`" });
  }
  const settings: Record<string, unknown> = {};
  for (const [given, value] of Object.entries(document)) {
    const key = RENAMED.get(given) ?? given;
    if (!settingNames.includes(key)) {
      throw new UsageError({
        what: `${path}: unknown setting`,
        actual: JSON.stringify(key),
        fix: `Did you mean ${closest(key, [...settingNames])}?`,
      });
    }
    settings[camelCase(key)] = plainSetting(key, value);
  }
  return settings;
}

function plainSetting(key: string, value: unknown): unknown {
  if (key === "boundaries" && (Array.isArray(value) || typeof value === "number")) return [value].flat().join(",");
  if (key === "map" && typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([ours, theirs]) => `${ours}=${String(theirs)}`)
      .join(",");
  }
  return value;
}

/** Settings that say where a run is computed and kept, not what it is. */
const NOT_IN_RESULTS = new Set(["out", "redis", "fullHash"]);

/** The settings as they go into results: without the folder of the run and the address of a queue, home folders as `~`, no credentials in addresses. */
export function redactedConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(config)
    .filter(([name, value]) => !NOT_IN_RESULTS.has(name) && value !== undefined)
    .map(([name, value]) => [kebabCase(name), redactedValue(value)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function redactedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactedValue);
  return typeof value === "string" ? redact(value) : value;
}

/** The call that repeats this run, redacted. */
export function recipe(config: SweepConfig): string {
  const defaults = sweepConfigSchema.safeParse({ model: "-", adapter: "-", data: "-", out: "-" }).data;
  const flags = Object.entries(redactedConfig(config)).flatMap(([name, value]) => {
    const isDefault = defaults?.[camelCase(name) as keyof SweepConfig] === value;
    if (isDefault) return [];
    // The one setting that is decided by the model unless it is given, so that "no" is another thing than nothing.
    if (value === false) return name === "strip-thoughts" ? ["--no-strip-thoughts"] : [];
    return [value].flat().map((item) => (item === true ? `--${name}` : `--${name} ${shellWord(String(item))}`));
  });
  return ["boundary sweep", ...flags, "--out RUN"].join(" ");
}
