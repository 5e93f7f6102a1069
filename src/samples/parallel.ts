import { at } from "../assert.js";
import { SampleError, UsageError } from "../errors.js";
import { noSamples } from "./document.js";
import {
  baseLanguage,
  completeLanguages,
  languageOfPath,
  languagesOfOptions,
  languagesOfPath,
  languageVariables,
  type LanguagePair,
} from "./languages.js";
import { assertLimit, loadedSamples, type ReadSamples } from "./loaded.js";
import { defaultId, placedError, shown } from "./place.js";
import type { LoadedSamples, LoadOptions } from "./sample.js";
import { linesOf, readTextFile, type TextFile } from "./text-file.js";

/** The files of parallel text, line for line. */
export interface ParallelLines {
  /** The file that the others are held against, then the references. */
  readonly files: readonly [TextFile, ...TextFile[]];
  readonly lines: readonly string[];
  /** For each line its references, in the order of their files; they may be empty. */
  readonly references: readonly (readonly string[])[];
  /** One sentence for each file of references that has empty lines. */
  readonly notes: readonly string[];
}

/**
 * Reads parallel text files for translation: a segment a line, the sources in one file, the references in one or several
 * others. Only line feeds end a line. The languages are those of the options, else of the files' names
 * (`wmt23.en-zh.en`, `ref.zh`). An empty reference is legal and noted.
 *
 * Throws FileError when a file cannot be read, {@link SampleError} for files with different numbers of lines and for an empty
 * source, {@link UsageError} for references in several languages and for options that cannot be.
 */
export async function loadParallel(
  sourcePath: string,
  referencePaths: readonly string[],
  options: Pick<LoadOptions, "limit" | "sourceLanguage" | "targetLanguage"> = {},
): Promise<LoadedSamples> {
  assertLimit(options.limit);
  const languages = languagesOfFiles(sourcePath, referencePaths, options);
  const parallel = await readParallelLines(sourcePath, referencePaths);
  return loadedSamples(parallel.files, samplesOfLines(sourcePath, parallel, languages), options.limit);
}

/**
 * Reads files of lines that belong together. Throws FileError, {@link SampleError} for different numbers of lines and for a
 * file without lines, {@link UsageError} without references.
 */
export async function readParallelLines(path: string, referencePaths: readonly string[]): Promise<ParallelLines> {
  if (referencePaths.length === 0) {
    throw new UsageError({
      what: `${path} has no references`,
      expected: "at least one file with a reference a line",
      fix: "Name it: --references FILE",
    });
  }
  const file = await readTextFile(path, "lines of text");
  const referenceFiles = await Promise.all(referencePaths.map((other) => readTextFile(other, "lines of text")));
  const lines = linesOf(file.text);
  if (lines.length === 0) throw noSamples(path);
  const columns = referenceFiles.map((other) => linesOf(other.text));
  for (const [index, column] of columns.entries()) {
    assertSameLength(path, lines.length, at(referencePaths, index), column.length);
  }
  return {
    files: [file, ...referenceFiles],
    lines,
    references: lines.map((_, line) => columns.map((column) => at(column, line))),
    notes: columns.flatMap((column, index) => emptyLinesNote(at(referencePaths, index), column)),
  };
}

function samplesOfLines(
  path: string,
  { lines, references, notes }: ParallelLines,
  languages: LanguagePair,
): ReadSamples {
  const placed = lines.map((source, index) => {
    const place = { path, label: `line ${index + 1}`, line: index + 1 };
    if (source.trim() === "") {
      throw placedError(
        place,
        {
          what: "the source is empty",
          actual: shown(source),
          expected: "a text to translate on each line",
          fix: "Take the line out of all the files.",
        },
        "source",
      );
    }
    const variables = { source, ...languageVariables(languages) };
    return { place, sample: { id: defaultId(place), variables, references: at(references, index) } };
  });
  return {
    format: "parallel",
    placed,
    notes,
    sourceLanguage: languages.source,
    targetLanguage: languages.target,
  };
}

function languagesOfFiles(
  sourcePath: string,
  referencePaths: readonly string[],
  options: Pick<LoadOptions, "sourceLanguage" | "targetLanguage">,
): LanguagePair {
  const given = languagesOfOptions(options);
  const source = given.source ?? languageOfPath(sourcePath);
  const target = given.target ?? targetOfFiles(referencePaths);
  const known = { ...(source === undefined ? {} : { source }), ...(target === undefined ? {} : { target }) };
  return completeLanguages(known, languagesOfPath(sourcePath));
}

function targetOfFiles(paths: readonly string[]): string | undefined {
  const tags = paths.map(languageOfPath).filter((tag) => tag !== undefined);
  if (new Set(tags.map(baseLanguage)).size > 1) {
    throw new UsageError({
      what: "the references are in different languages by their names",
      actual: tags.join(", "),
      expected: "one language to translate into",
      fix: "Score each language by itself, or say what they are in: --target-language CODE",
    });
  }
  return tags[0];
}

function assertSameLength(path: string, count: number, otherPath: string, otherCount: number): void {
  if (count === otherCount) return;
  throw new SampleError(
    { path: otherPath },
    {
      what: `${path} and ${otherPath} do not have the same number of lines`,
      actual: `${count} and ${otherCount}`,
      expected: "a reference on the same line as its text",
      fix: "Give the files of one set, complete. A line feed within a text begins a line too.",
    },
  );
}

function emptyLinesNote(path: string, lines: readonly string[]): readonly string[] {
  const empty = lines.flatMap((line, index) => (line.trim() === "" ? [index + 1] : []));
  const [first] = empty;
  if (first === undefined) return [];
  return [`${empty.length} of the ${lines.length} references in ${path} are empty, the first on line ${first}.`];
}
