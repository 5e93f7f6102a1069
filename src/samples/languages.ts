import { basename } from "node:path";
import { UsageError } from "../errors.js";

/** Languages as BCP 47 tags, such as "en", "zh" or "pt-BR", as far as they are known. */
export interface LanguagePair {
  readonly source?: string;
  readonly target?: string;
}

const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });

/** The canonical tag of a language code (`zh_cn` gives "zh-CN"), or undefined for what is none. */
export function languageTag(code: string): string | undefined {
  if (!/^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/i.test(code)) return undefined;
  try {
    const [tag] = Intl.getCanonicalLocales(code.replaceAll("_", "-"));
    // Two letters are used up by known languages, so an unknown one is a slip; of three letters there are thousands.
    return tag !== undefined && (names.of(tag) !== undefined || (tag.split("-")[0] ?? "").length === 3)
      ? tag
      : undefined;
  } catch {
    return undefined;
  }
}

/** The language's name in English, for prompts: "Chinese" for "zh", "Brazilian Portuguese" for "pt-BR"; the tag where it has none. */
export function languageName(tag: string): string {
  return names.of(tag) ?? tag;
}

/** The language without script and region, which decides how its texts are tokenised: "zh" for "zh-CN". */
export function baseLanguage(tag: string): string {
  return tag.split("-")[0] ?? tag;
}

/**
 * The language that a file is in by its name, as parallel texts are published: `wmt23.en-zh.zh`, `ref.zh.txt`. Only codes
 * with two letters (and a region) count: many extensions, such as `src`, are three-letter codes too.
 */
export function languageOfPath(path: string): string | undefined {
  const parts = basename(path).split(".").slice(1);
  const codes = parts.filter((part) => /^[a-z]{2}([-_]([A-Z]{2}|[A-Z][a-z]{3}))?$/.test(part));
  return codes.map(languageTag).findLast((tag) => tag !== undefined);
}

/** Source and target by a pair in the file's name, such as `en-zh` in `wmt23.en-zh.tsv`. */
export function languagesOfPath(path: string): LanguagePair {
  for (const [, from = "", to = ""] of basename(path).matchAll(/(?<![A-Za-z])([a-z]{2})-([a-z]{2})(?![A-Za-z])/g)) {
    const [source, target] = [languageTag(from), languageTag(to)];
    if (source !== undefined && target !== undefined && source !== target) return { source, target };
  }
  return {};
}

/** The languages that options name. Throws {@link UsageError} for what is no language, and for one language twice. */
export function languagesOfOptions(options: { sourceLanguage?: string; targetLanguage?: string }): LanguagePair {
  const { sourceLanguage, targetLanguage } = options;
  const source = sourceLanguage === undefined ? undefined : languageOption("--source-language", sourceLanguage);
  const target = targetLanguage === undefined ? undefined : languageOption("--target-language", targetLanguage);
  if (source === undefined || source !== target) return pairOf(source, target);
  throw new UsageError({
    what: "--source-language and --target-language are the same",
    actual: source,
    expected: "two languages",
    fix: "Correct one of them.",
  });
}

/** What is known of the languages, and the rest from a pair in either direction: of `en-zh`, a known source "zh" leaves "en" as the target. */
export function completeLanguages(known: LanguagePair, pair: LanguagePair): LanguagePair {
  const source = known.source ?? (isSameLanguage(known.target, pair.source) ? pair.target : pair.source);
  const target = known.target ?? (isSameLanguage(source, pair.target) ? pair.source : pair.target);
  return pairOf(source, target);
}

/** Whether two tags are of one language, whatever script and region. */
export function isSameLanguage(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && right !== undefined && baseLanguage(left) === baseLanguage(right);
}

/** The variables that tell a prompt the languages by their English names, as far as they are known. */
export function languageVariables({ source, target }: LanguagePair): Readonly<Record<string, string>> {
  return {
    ...(source === undefined ? {} : { source_language: languageName(source) }),
    ...(target === undefined ? {} : { target_language: languageName(target) }),
  };
}

function languageOption(option: string, code: string): string {
  const tag = languageTag(code);
  if (tag !== undefined) return tag;
  throw new UsageError({
    what: `${option} is not a language code`,
    actual: JSON.stringify(code),
    expected: "a BCP 47 tag such as en, zh or pt-BR",
    fix: "Use the language's two-letter code.",
  });
}

function pairOf(source: string | undefined, target: string | undefined): LanguagePair {
  return { ...(source === undefined ? {} : { source }), ...(target === undefined ? {} : { target }) };
}
