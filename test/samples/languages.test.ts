import { describe, expect, it } from "vitest";
import {
  completeLanguages,
  isSameLanguage,
  languageName,
  languageOfPath,
  languagesOfPath,
  languageTag,
} from "../../src/samples/languages.js";

describe("languageTag", () => {
  it.each([
    ["zh", "zh", "Chinese"],
    ["ZH", "zh", "Chinese"],
    ["zh_cn", "zh-CN", "Chinese (China)"],
    ["zh-Hant", "zh-Hant", "Traditional Chinese"],
    ["eng", "en", "English"],
    ["yue", "yue", "Cantonese"],
    ["acq", "acq", "acq"],
  ])("%s is %s, %s", (code, tag, name) => {
    expect(languageTag(code)).toBe(tag);
    expect(languageName(tag)).toBe(name);
  });
  it.each(["xx", "Chinese", "e", "", "zh-", "zh cn", "123"])("%j is none", (code) => {
    expect(languageTag(code)).toBeUndefined();
  });
});

describe("the languages of a file's name", () => {
  it.each([
    ["runs/wmt23.en-zh.zh", "zh", ["en", "zh"]],
    ["wmt23.en-zh.tsv", undefined, ["en", "zh"]],
    ["ref.zh", "zh", []],
    ["ref.zh.txt", "zh", []],
    ["ref.pt-BR", "pt-BR", []],
    ["set.de.src", "de", []],
    ["corpus.tok", undefined, []],
    ["zh", undefined, []],
    ["en.zh/plain.txt", undefined, []],
    ["train-en-de.jsonl", undefined, ["en", "de"]],
    ["xx-yy.txt", undefined, []],
    ["state-of-the-art.txt", undefined, []],
  ])("%s", (path, language, pair) => {
    expect(languageOfPath(path)).toBe(language);
    expect(Object.values(languagesOfPath(path))).toEqual(pair);
  });

  it("fills in what is not known from a pair in either direction", () => {
    const pair = { source: "en", target: "zh" };
    expect(completeLanguages({}, pair)).toEqual(pair);
    expect(completeLanguages({ source: "zh-CN" }, pair)).toEqual({ source: "zh-CN", target: "en" });
    expect(completeLanguages({ target: "en" }, pair)).toEqual({ source: "zh", target: "en" });
    expect(completeLanguages({ target: "de" }, pair)).toEqual({ source: "en", target: "de" });
    expect(completeLanguages({ source: "de" }, {})).toEqual({ source: "de" });
    expect(isSameLanguage("zh-CN", "zh")).toBe(true);
    expect(isSameLanguage(undefined, undefined)).toBe(false);
  });
});
