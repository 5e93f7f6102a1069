import type { Sample, SampleFormat } from "./sample.js";

/** An output with the sample it answers; of a file of outputs, the variables are the row's other fields. */
export interface Prediction extends Sample {
  /** May be empty: a model can answer nothing. */
  readonly prediction: string;
  /** Set where there is no output for the sample at all, which official scripts count as wrong. */
  readonly isMissing?: true;
}

/** The outputs of one file, in its order, or in that of the data set that they answer. */
export interface LoadedPredictions {
  /** Of the file, or of the data set where that is a file of its own. */
  readonly format: SampleFormat | "lm-eval";
  readonly path: string;
  /** The files that the references came from, where they are others. */
  readonly referencePaths?: readonly string[];
  readonly predictions: readonly Prediction[];
  /** Of the file's bytes, in hexadecimal; of several files, of their hashes, a line each. */
  readonly sha256: string;
  /** What a user should know about the file although it is usable, one sentence each. */
  readonly notes: readonly string[];
}
