import { z } from "zod";
import { SampleError, UsageError } from "../errors.js";
import { fieldError } from "./field-error.js";
import type { FieldMap } from "./field-map.js";
import {
  completeLanguages,
  isSameLanguage,
  languagesOfOptions,
  languagesOfPath,
  languageTag,
  languageVariables,
  type LanguagePair,
} from "./languages.js";
import type { ReadSamples } from "./loaded.js";
import { isRecord, type PlacedRow } from "./place.js";
import { readReferences } from "./reference-fields.js";
import { checkFields, filledText, nameFields, sampleOf, text, type NamedRow } from "./row.js";
import type { LoadOptions, Sample, SampleFormat } from "./sample.js";
import { isHeader, rowsOfColumns, rowsUnderHeader, tsvLines } from "./tsv.js";

const TARGETS = ["target", "targets", "references", "reference", "answers", "answer", "translation"] as const;

const rowSchema = z.object({ source: filledText });

type TranslationOptions = Pick<LoadOptions, "sourceLanguage" | "targetLanguage"> & { readonly map: FieldMap };

/** The names of the fields with the two texts. */
interface Direction {
  readonly source: string;
  readonly target: string;
}

/** Texts by language: in the field `translation`, or in the row itself. */
interface Layout {
  readonly isNested: boolean;
  /** The languages' names as the row has them. */
  readonly names: readonly string[];
}

type TextFields = Pick<Layout, "isNested"> & { readonly direction: Direction };

/**
 * Samples to be translated: rows with `source` and `target` (one text or several), or the rows of OPUS and WMT on the Hugging
 * Face hub with `translation: { en: "...", zh: "..." }`, whose direction the options give, else the file's name. An empty
 * reference is legal and noted. Throws SampleError for another row, {@link UsageError} where the direction is not said.
 */
export function readTranslations(path: string, rows: readonly PlacedRow[], options: TranslationOptions): ReadSamples {
  const said = { ...languagesOfMap(options.map), ...languagesOfOptions(options) };
  const known = completeLanguages(said, languagesOfPath(path));
  const named = rows.map((placed) =>
    nameFields(placed, {
      map: options.map,
      isReference: (name) => TARGETS.some((target) => target === name),
      example: '{"source": "...", "target": "..."}',
    }),
  );
  const layout = layoutOf(named[0]);
  const texts = layout && { isNested: layout.isNested, direction: directionOf(path, layout, known) };
  const languages = texts ? languagesOfDirection(texts.direction, known) : known;
  const placed = named.map((row) => ({ place: row.place, sample: translationOf(row, texts, languages) }));
  const samples = placed.map(({ sample }) => sample);
  const targets = [...new Set(samples.flatMap(({ variables: { target_language: name } }) => name ?? []))].map(String);
  const [ownTarget] = targets.map(languageTag);
  return {
    format: formatOf(options.map, texts),
    placed,
    notes: [...emptyReferencesNote(samples), ...mixedTargetsNote(targets)],
    sourceLanguage: languages.source,
    targetLanguage:
      targets.length > 1 && options.targetLanguage === undefined ? undefined : (languages.target ?? ownTarget),
  };
}

/**
 * Samples of a tab-separated table: columns that the first line names (`source` and `target`), or two columns, the text and
 * its translation. Throws SampleError for another table; a text without any tab is told of the files of parallel text.
 */
export function readTranslationTable(path: string, content: string, options: TranslationOptions): ReadSamples {
  const lines = tsvLines(path, content);
  const [first] = lines;
  if (lines.every(({ cells }) => cells.length === 1)) {
    throw new SampleError(
      { path },
      {
        what: `${path} has texts to translate but no translations`,
        actual: "lines of plain text",
        expected: "JSONL, two columns with a tab between them, or parallel files",
        fix: "Name the file with the translations, line for line: --references FILE",
      },
    );
  }
  const mapped = Object.values(options.map);
  const hasHeader =
    isHeader(first, ["source", "target"]) ||
    (mapped.length > 0 && isHeader(first, mapped)) ||
    first.cells.every((cell) => isLanguageField(cell));
  const rows = hasHeader
    ? rowsUnderHeader(path, lines)
    : rowsOfColumns(lines, ["source", "target"], 'For more columns, name them in a first line: "source" and "target".');
  return { ...readTranslations(path, rows, options), format: "tsv" };
}

/** Where the first row has its texts by language: in `translation`, or in fields of its own such as `en` and `zh`. */
function layoutOf(row: NamedRow | undefined): Layout | undefined {
  const { source, translation } = row?.fields ?? {};
  if (row === undefined || (source !== undefined && source !== null)) return undefined;
  if (isRecord(translation)) return { isNested: true, names: Object.keys(translation) };
  const names = Object.keys(row.fields).filter(isLanguageField);
  return names.length >= 2 ? { isNested: false, names } : undefined;
}

/** Two letters that are a language; `id`, which is one too, is the sample's. */
function isLanguageField(name: string): boolean {
  return /^[a-z]{2}$/.test(name) && name !== "id" && languageTag(name) !== undefined;
}

/** Which of the texts by language is the source and which the target. Throws {@link UsageError} where nothing says it. */
function directionOf(path: string, { names }: Layout, known: LanguagePair): Direction {
  const fieldOf = (tag: string | undefined): string | undefined =>
    tag === undefined ? undefined : (names.find((name) => isSameLanguage(languageTag(name), tag)) ?? tag);
  const otherThan = (name: string | undefined): string | undefined =>
    name !== undefined && names.length === 2 ? names.find((other) => other !== name) : undefined;
  const source = fieldOf(known.source) ?? otherThan(fieldOf(known.target));
  const target = fieldOf(known.target) ?? otherThan(source);
  if (source !== undefined && target !== undefined) return { source, target };
  const [first = "en", second = "zh"] = names;
  throw new UsageError({
    what: `${path} does not say which way to translate`,
    actual: `texts in ${names.join(", ")}`,
    expected: "a source and a target language",
    fix: `Say it: --source-language ${first} --target-language ${second}`,
  });
}

function languagesOfDirection(direction: Direction, known: LanguagePair): LanguagePair {
  const source = known.source ?? languageTag(direction.source);
  const target = known.target ?? languageTag(direction.target);
  return { ...(source === undefined ? {} : { source }), ...(target === undefined ? {} : { target }) };
}

/** A map such as `target=translation.zh` says the language as well. */
function languagesOfMap(map: FieldMap): LanguagePair {
  const tagOf = (field: string | undefined): string | undefined => {
    const name = field?.split(".").at(-1) ?? "";
    return isLanguageField(name) ? languageTag(name) : undefined;
  };
  const source = tagOf(map["source"]);
  const target = TARGETS.map((name) => tagOf(map[name])).find((tag) => tag !== undefined);
  return { ...(source === undefined ? {} : { source }), ...(target === undefined ? {} : { target }) };
}

function translationOf(row: NamedRow, texts: TextFields | undefined, languages: LanguagePair): Sample {
  // A row that names its languages itself knows better than the file's name.
  const variables = Object.fromEntries(
    Object.entries(languageVariables(languages)).filter(([name]) => !Object.hasOwn(row.fields, name)),
  );
  if (texts === undefined) {
    const { source } = checkFields(rowSchema, row);
    const references = readReferences(row, TARGETS, { mayBeEmpty: true }).texts;
    return sampleOf(row, { references, variables: { ...variables, source } });
  }
  const { isNested, direction } = texts;
  const pairSchema = z.object({ [direction.source]: filledText, [direction.target]: text });
  const fix = "Mend the row, or take it out: all rows of a file have the same two languages.";
  const schema = isNested ? z.object({ translation: pairSchema }) : pairSchema;
  const parsed = schema.safeParse(row.fields);
  if (!parsed.success) throw fieldError(row.place, row.fields, parsed.error, fix);
  const pair: unknown = isNested ? row.fields["translation"] : row.fields;
  const [source, target] = isRecord(pair) ? [pair[direction.source], pair[direction.target]] : [];
  return sampleOf(row, {
    references: [String(target)],
    variables: { ...variables, source },
    isHidden: (name) => !isNested && (name === direction.source || name === direction.target),
  });
}

function formatOf(map: FieldMap, texts: TextFields | undefined): SampleFormat {
  return texts?.isNested === true && Object.keys(map).length === 0 ? "hub-translation" : "jsonl";
}

function emptyReferencesNote(samples: readonly Sample[]): readonly string[] {
  const empty = samples.filter(({ references }) => references.some((reference) => reference.trim() === ""));
  const [first] = empty;
  if (first === undefined) return [];
  return [`${empty.length} of ${samples.length} samples have an empty reference, the first is ${first.id}.`];
}

function mixedTargetsNote(targets: readonly string[]): readonly string[] {
  if (targets.length < 2) return [];
  const listed = targets.slice(0, 5).join(", ") + (targets.length > 5 ? ", ..." : "");
  return [
    `The samples have ${targets.length} target languages (${listed}): look at each by itself, --group-by target_language.`,
  ];
}
