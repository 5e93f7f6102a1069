/** One validation item: prompt variables plus one or more references. */
export interface Sample {
  readonly id: string;
  /** What a prompt template can use: `question`, `context` where there is one, and the row's other fields; never the references. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** At least one; the empty text stands for "no answer". */
  readonly references: readonly string[];
  /** Labels to break a score down by, such as `{ type: "bridge" }`. */
  readonly group?: Readonly<Record<string, string>>;
}

/** The layouts that are understood: our JSONL, the published SQuAD files, HotpotQA in the distractor layout. */
export type SampleFormat = "jsonl" | "squad1.1" | "squad2.0" | "hotpotqa";

/** The samples of one file, in its order. */
export interface LoadedSamples {
  readonly format: SampleFormat;
  readonly path: string;
  readonly samples: readonly Sample[];
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** What a user should know about the file although it is usable, one sentence each. */
  readonly notes: readonly string[];
}

/** How to read a file of samples. */
export interface LoadOptions {
  /** For JSONL: our field names to the file's, such as `{ question: "q", answers: "gold.text" }`; dots reach nested fields. */
  readonly map?: Readonly<Record<string, string>>;
  /** For HotpotQA: only the supporting sentences (the default), or all paragraphs. Without effect on other formats. */
  readonly context?: "supporting" | "all";
  /** Keep the first so many samples; the whole file is checked all the same. */
  readonly limit?: number;
}
