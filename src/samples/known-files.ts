import { dirname } from "node:path";
import { UsageError } from "../errors.js";
import { isRecord } from "./place.js";

/** A file that is known not to hold samples or outputs: how it is told, what it is, and what to give instead. */
interface KnownFile {
  readonly is: (value: Readonly<Record<string, unknown>>) => boolean;
  readonly what: string;
  readonly fix: (path: string) => string;
}

const SAMPLES = "Give a file with samples.";
const has = (...names: readonly string[]): KnownFile["is"] => {
  return (value) => names.every((name) => Object.hasOwn(value, name));
};
const scoreFolder = (path: string): string =>
  `To score the run again, give its folder: boundary score ${dirname(path)}`;

/** The first that fits counts. */
const knownFiles: readonly KnownFile[] = [
  { is: has("peft_type"), what: "the configuration of an adapter", fix: () => SAMPLES },
  {
    is: ({ tool }) => isRecord(tool) && tool["name"] === "boundary",
    what: "the result of a run",
    fix: scoreFolder,
  },
  {
    is: has("boundary", "part", "sampleId", "output"),
    what: "the answers of a run, without references",
    fix: scoreFolder,
  },
  {
    is: (value) =>
      isRecord(value["results"]) && ["configs", "versions", "config", "config_general"].some((name) => name in value),
    what: "the scores of an evaluation, not its outputs",
    fix: () => "Give the outputs: of lm-evaluation-harness the samples_*.jsonl that --log_samples writes.",
  },
  {
    is: (value) => isNumbers(value) && ["exact", "exact_match", "f1", "em"].some((name) => name in value),
    what: "the scores of an evaluation, not its outputs",
    fix: () => "Give the predictions that were scored.",
  },
  { is: has("log_history"), what: "the state of a training run", fix: () => SAMPLES },
  { is: has("model_type"), what: "the configuration of a model", fix: () => SAMPLES },
  { is: has("architectures"), what: "the configuration of a model", fix: () => SAMPLES },
  { is: has("weight_map"), what: "the index of a model's weights", fix: () => SAMPLES },
  { is: has("tokenizer_class"), what: "the configuration of a tokenizer", fix: () => SAMPLES },
  {
    is: ({ model, added_tokens: added }) => isRecord(model) && Array.isArray(added),
    what: "a tokenizer",
    fix: () => SAMPLES,
  },
  { is: has("citation", "features"), what: "the description of a data set", fix: () => SAMPLES },
  { is: has("cells", "nbformat"), what: "a notebook", fix: () => SAMPLES },
];

/** Throws {@link UsageError} for a JSON value that is the first of a file which cannot be meant, such as an adapter's configuration. */
export function assertNotKnownFile(path: string, value: unknown): void {
  if (!isRecord(value)) return;
  const known = knownFiles.find(({ is }) => is(value));
  if (known) throw new UsageError({ what: `${path} holds ${known.what}`, fix: known.fix(path) });
}

function isNumbers(value: Readonly<Record<string, unknown>>): boolean {
  return Object.values(value).every((entry) => typeof entry === "number");
}
