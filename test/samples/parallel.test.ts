import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { loadParallel } from "../../src/samples/parallel.js";
import { linesOf } from "../../src/samples/text-file.js";
import { workbench } from "../support/workbench.js";
import { temporaryFiles } from "./files.js";

fc.configureGlobal({ seed: 5 });

const file = temporaryFiles();
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("linesOf", () => {
  it.each([
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\n\n", ["a", ""]],
    ["\n", [""]],
    ["a\r\nb\r\n", ["a", "b"]],
    ["a\rb\fc\vd\u0085e\u2028f\u2029g\u001ch\n", ["a\rb\fc\vd\u0085e\u2028f\u2029g\u001ch"]],
  ])("%j", (text, lines) => {
    expect(linesOf(text)).toEqual(lines);
  });

  it("gives back any lines that were joined", () => {
    const line = fc.string({ unit: "binary" }).filter((text) => !text.includes("\n") && !text.endsWith("\r"));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        expect(linesOf(lines.map((text) => text + end).join(""))).toEqual(lines);
      }),
    );
  });
});

describe("parallel text files", () => {
  it("pairs line with line, from several references, and takes the languages from the names", async () => {
    const source = await file("set.en-zh.en", "One.\nTwo.\n");
    const first = await file("ref.zh", "一。\n二。\n");
    const second = await file("ref2.zh.txt", "壹。\n贰。");
    const loaded = await loadParallel(source, [first, second]);
    expect(loaded).toEqual({
      format: "parallel",
      path: source,
      referencePaths: [first, second],
      sha256: hash(["One.\nTwo.\n", "一。\n二。\n", "壹。\n贰。"].map((text) => `${hash(text)}\n`).join("")),
      notes: [],
      sourceLanguage: "en",
      targetLanguage: "zh",
      samples: [
        {
          id: "line-1",
          variables: { source: "One.", source_language: "English", target_language: "Chinese" },
          references: ["一。", "壹。"],
        },
        {
          id: "line-2",
          variables: { source: "Two.", source_language: "English", target_language: "Chinese" },
          references: ["二。", "贰。"],
        },
      ],
    });
    expect(await loadSamples(source, { kind: "translation", references: [first, second] })).toEqual(loaded);
    expect((await loadParallel(source, [first], { limit: 1 })).samples).toHaveLength(1);
  });

  it("bears byte order marks and CRLF, and splits at line feeds only", async () => {
    const source = await file("windows.txt", "\ufeffa\u2028b\r\nc\fd\u0085e\r\n");
    const reference = await file("windows-ref.txt", "x\ny\u2029z\n");
    const { samples, ...rest } = await loadParallel(source, [reference]);
    expect(samples.map(({ variables, references }) => [variables["source"], ...references])).toEqual([
      ["a\u2028b", "x"],
      ["c\fd\u0085e", "y\u2029z"],
    ]);
    expect(rest).not.toHaveProperty("targetLanguage");
    expect(samples[0]?.variables).toEqual({ source: "a\u2028b" });
  });

  it("lets options say the languages, and refuses what is none", async () => {
    const source = await file("a.en", "One.\n");
    const reference = await file("a.ref", "Um.\n");
    const loaded = await loadParallel(source, [reference], { targetLanguage: "pt_br" });
    expect(loaded).toMatchObject({ sourceLanguage: "en", targetLanguage: "pt-BR" });
    expect(loaded.samples[0]?.variables["target_language"]).toBe("Brazilian Portuguese");
    await expect(loadParallel(source, [reference], { targetLanguage: "Chinese" })).rejects.toMatchObject({
      name: "UsageError",
      message: expect.stringMatching(/--target-language is not a language code: found "Chinese"/) as string,
    });
    await expect(loadParallel(source, [reference], { sourceLanguage: "zq" })).rejects.toThrow(
      /--source-language is not/,
    );
    const same = loadParallel(source, [reference], { sourceLanguage: "de", targetLanguage: "de" });
    await expect(same).rejects.toThrow(/are the same: found de/);
  });

  it.each([
    ["one\ntwo\n", "eins\n", "2 and 1"],
    ["one\n", "eins\nzwei\n", "1 and 2"],
    ["one\ntwo\n", "", "2 and 0"],
    ["one\n", "eins\n\n", "1 and 2"],
  ])("refuses %j beside %j: other numbers of lines, both named", async (left, right, counts) => {
    const source = await file("left.txt", left);
    const good = await file("good.txt", left);
    const reference = await file("right.txt", right);
    const error = await loadParallel(source, [good, reference]).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: "SampleError", path: reference });
    const { message } = error as Error;
    expect(message).toContain(`found ${counts}`);
    expect(message).toContain(`${source} and ${reference} do not have the same number of lines`);
  });

  it.each(["", "  ", "\u3000", "\t"])("refuses the source %j, with its line", async (empty) => {
    const source = await file("empty.en", `One.\n${empty}\nThree.\n`);
    const reference = await file("empty.zh", "一\n二\n三\n");
    await expect(loadParallel(source, [reference], { limit: 1 })).rejects.toMatchObject({
      name: "SampleError",
      path: source,
      line: 2,
      field: "source",
      message: expect.stringContaining(`${source}, line 2: the source is empty`) as string,
    });
  });

  it("notes empty references", async () => {
    const source = await file("noted.en", "One.\nTwo.\nThree.\n");
    const full = await file("full.zh", "一\n二\n三\n");
    const gaps = await file("gaps.zh", "一\n\n \n");
    const loaded = await loadParallel(source, [full, gaps]);
    expect(loaded.samples.map(({ references }) => references)).toEqual([
      ["一", "一"],
      ["二", ""],
      ["三", " "],
    ]);
    expect(loaded.notes).toEqual([`2 of the 3 references in ${gaps} are empty, the first on line 2.`]);
  });

  it("refuses references in several languages, unless told which one it is", async () => {
    const source = await file("mixed.en", "One.\n");
    const references = [await file("mixed.zh", "一\n"), await file("mixed.de", "Eins.\n")];
    await expect(loadParallel(source, references)).rejects.toThrow(
      /in different languages by their names: found zh, de/,
    );
    expect(await loadParallel(source, references, { targetLanguage: "zh" })).toMatchObject({ targetLanguage: "zh" });
  });

  it("refuses files that are not there, not text, or without lines, and options that do not go together", async () => {
    const source = await file("some.en", "One.\n");
    await expect(loadParallel(source, [`${source}.none`])).rejects.toMatchObject({ name: "FileError" });
    await expect(loadParallel(source, [])).rejects.toThrow(/has no references.*--references FILE/);
    await expect(loadParallel(await file("none.en", ""), [source])).rejects.toThrow(/holds no samples/);
    const packed = await file("packed.gz", new Uint8Array([0x1f, 0x8b, 8, 0, 0xff]));
    await expect(loadParallel(source, [packed])).rejects.toThrow(/is packed with gzip and cannot be unpacked/);
    await expect(loadSamples(source, { references: [source] })).rejects.toThrow(
      /--references does not go with --task qa/,
    );
    const mapped = loadSamples(source, { kind: "translation", references: [source], map: { source: "x" } });
    await expect(mapped).rejects.toThrow(/--references does not go with --map/);
    await expect(loadParallel(source, [source], { limit: 0 })).rejects.toThrow(/limit of samples is wrong/);
  });
});

describe("published data (needs the workbench beside the project)", () => {
  it.skipIf(workbench === undefined)("wmt23.en-zh.{en,zh} is read as 200 pairs", async () => {
    const [source = "", reference = ""] = ["en", "zh"].map((code) =>
      join(workbench ?? "", "data", `wmt23.en-zh.${code}`),
    );
    const loaded = await loadSamples(source, { kind: "translation", references: [reference] });
    expect(loaded).toMatchObject({ format: "parallel", sourceLanguage: "en", targetLanguage: "zh", notes: [] });
    expect(loaded.samples).toHaveLength(200);
    const [sources, targets] = [source, reference].map((path) => readFileSync(path, "utf8").split("\n").slice(0, -1));
    expect(loaded.samples.map(({ variables }) => variables["source"])).toEqual(sources);
    expect(loaded.samples.map(({ references }) => references)).toEqual(targets?.map((target) => [target]));
    const reversed = await loadParallel(reference, [source]);
    expect(reversed).toMatchObject({ sourceLanguage: "zh", targetLanguage: "en" });
    expect(basename(reversed.path)).toBe("wmt23.en-zh.zh");
  });
});
