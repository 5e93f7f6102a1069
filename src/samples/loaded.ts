import { digest } from "../files/digest.js";
import { SampleError, UsageError } from "../errors.js";
import type { Place } from "./place.js";
import type { LoadedSamples, Sample, SampleFormat } from "./sample.js";
import type { TextFile } from "./text-file.js";

/** A sample and where it came from. */
export interface PlacedSample {
  readonly place: Place;
  readonly sample: Sample;
}

/** The samples of a file as its layout gives them. */
export interface ReadSamples {
  readonly format: SampleFormat;
  readonly placed: readonly PlacedSample[];
  readonly notes?: readonly string[];
  readonly sourceLanguage?: string | undefined;
  readonly targetLanguage?: string | undefined;
}

/** A file as far as results name it. */
type FileOfSamples = Pick<TextFile, "path" | "sha256">;

/** Throws {@link UsageError} for a limit of samples that is not a whole number from 1. */
export function assertLimit(limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1)) return;
  throw new UsageError({
    what: "the limit of samples is wrong",
    actual: String(limit),
    expected: "a whole number from 1",
  });
}

/**
 * The samples of one file, or of one with the files of its references behind it.
 * Throws {@link SampleError} when two samples have one id.
 */
export function loadedSamples(
  [file, ...referenceFiles]: readonly [FileOfSamples, ...FileOfSamples[]],
  { format, placed, notes = [], sourceLanguage, targetLanguage }: ReadSamples,
  limit: number | undefined,
): LoadedSamples {
  assertDistinctIds(file.path, placed);
  const samples = placed.map(({ sample }) => sample);
  return {
    format,
    path: file.path,
    ...(referenceFiles.length > 0 ? { referencePaths: referenceFiles.map(({ path }) => path) } : {}),
    samples: limit === undefined ? samples : samples.slice(0, limit),
    sha256: referenceFiles.length > 0 ? jointSha256([file, ...referenceFiles]) : file.sha256,
    notes,
    ...(sourceLanguage === undefined ? {} : { sourceLanguage }),
    ...(targetLanguage === undefined ? {} : { targetLanguage }),
  };
}

/** Of the files' own hashes in hexadecimal, a line each, in order. */
export function jointSha256(files: readonly FileOfSamples[]): string {
  const hashes = files.map(({ sha256 }) => `${sha256}\n`).join("");
  return digest(hashes);
}

/** Throws {@link SampleError} when two samples have one id. */
export function assertDistinctIds(path: string, placed: readonly { place: Place; sample: Pick<Sample, "id"> }[]): void {
  const seen = new Map<string, Place>();
  for (const { place, sample } of placed) {
    const earlier = seen.get(sample.id);
    if (earlier !== undefined) {
      throw new SampleError(
        { path, sampleId: sample.id, ...(place.line === undefined ? {} : { line: place.line }) },
        {
          what: `${path}: two samples have one id`,
          actual: `${JSON.stringify(sample.id)} in ${earlier.label} and in ${place.label}`,
          expected: "an id of its own for each sample",
          fix: "Rename one of the two, take it out, or leave the ids out altogether.",
        },
      );
    }
    seen.set(sample.id, place);
  }
}
