import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FileError, FormatError, RunFolderError } from "../../src/errors.js";
import { runPage } from "../../src/report/html/run-page.js";
import { writeReport } from "../../src/report/html/write-report.js";
import { loadReport, type RunReport } from "../../src/report/report-input.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun, type FinishedRunParts } from "./finished-run.js";
import { tableOf, tagsOf, textOf } from "./tags.js";

const folder = temporaryFolder();

async function reportOf(name: string, parts: FinishedRunParts = {}): Promise<RunReport> {
  const path = join(folder.path, name);
  await writeFinishedRun(path, parts);
  return loadReport(path);
}

/** Fails wherever it stands unescaped. */
const HOSTILE = `</p></td></script><script>alert(1)</script><img src=x onerror=alert(2)>" onfocus="alert(3)" '{{7*7}} <!-- \u0000\u001b[2J`;

describe("the page of a run", () => {
  let report: RunReport;
  let page: string;
  beforeAll(async () => {
    report = await reportOf("first", { settings: { rule: "no-worse", margin: 50, groupBy: "kind", floor: "em=-40" } });
    page = runPage(report);
  });

  it("gives the answer first, then every sentence and note", () => {
    const { verdict, choice } = report.result;
    // What the floors kept out is a list, which stands with the choice.
    const sentences = verdict.sentences.filter((sentence) => !choice.reasons.slice(1).includes(sentence));
    expect(sentences).toHaveLength(verdict.sentences.length - 1);
    expect(textOf(page)).toContain(`The answer ${sentences[0] ?? ""}`);
    for (const sentence of sentences) expect(textOf(page)).toContain(sentence);
    expect(textOf(page)).toContain("A note.");
  });

  it("has a row for each boundary with scores, intervals, speeds and bytes, and names base, full and chosen", () => {
    const rows = tableOf(page, "Selection: 12 samples, every boundary, with 95 % intervals");
    expect(rows?.[0]).toEqual([
      "K",
      "contains",
      "EM",
      "F1",
      "Tokens/answer",
      "Prefill tok/s",
      "Decode tok/s",
      "Adapter bytes",
    ]);
    expect(rows?.map(([k]) => k)).toEqual(["K", "0 base", "1", "2", "3 chosen", "4", "5", "6 full"]);
    expect(rows?.[4]?.slice(1, 2)).toEqual([expect.stringMatching(/^100\.0 \d+\.\d to 100\.0$/)]);
    expect(rows?.[7]?.slice(4)).toEqual(["1.3", "940", "94", "6,000"]);
  });

  it("has base, full and chosen on the holdout, and all that is said of their differences", () => {
    const rows = tableOf(page, "Scores with 95 % intervals");
    expect(rows?.map((row) => row[0])).toEqual(["metric", "contains", "EM", "F1"]);
    expect(rows?.[1]?.map((cell) => cell.split(" ")[0])).toEqual(["contains", "0.0", "90.0", "100.0"]);
    const [, contains] = tableOf(page, "Chosen less full, paired over the samples, in points") ?? [];
    const paired = report.result.confirmation.comparisons.find(({ metric }) => metric === "contains")?.chosenMinusFull;
    expect(contains).toEqual([
      "contains",
      "+10.0",
      `${paired!.low.toFixed(1)} to +${paired!.high.toFixed(1)}`,
      "1 / 0 / 9",
      "1.000",
      paired!.effect.standardized?.toFixed(2),
      "3.00",
      paired!.smallestDetectable?.toFixed(1),
    ]);
    expect(textOf(page)).toContain(
      "Intervals of differences: contains, EM by Tango score interval; F1 by adjusted Student",
    );
  });

  it("explains the choice: the rule, each comparison, and what a floor kept out", () => {
    const steps = tableOf(page, "Each comparison of the rule, in its order");
    expect(steps?.[1]?.slice(0, 4)).toEqual(["5", "100.0", "6", "+8.3"]);
    expect(steps?.map((row) => row.at(-1))).toEqual(["passed", "yes", "yes", "yes", "no"]);
    const kept = tableOf(page, "Kept out by a floor");
    expect(kept).toEqual([
      ["K", "metric", "against full", "at least"],
      ["0", "EM", "-91.7", "-40.0"],
      ["1", "EM", "-58.3", "-40.0"],
    ]);
  });

  it("shows groups and what the answers look like", () => {
    expect(tableOf(page, "contains by group (holdout)")).toEqual([
      ["group", "samples", "base, K=0", "full, K=6", "chosen, K=3"],
      ["even", "5", "0.0", "80.0", "100.0"],
      ["odd", "5", "0.0", "100.0", "100.0"],
    ]);
    expect(tableOf(page, "Length and faults")?.[1]).toEqual(["K=0 base, holdout", "10", "8.0", "0", "0", "0"]);
    expect(tableOf(page, "Length and faults at the other boundaries")).toHaveLength(5);
  });

  it("has the recipe, the settings, versions, hashes and times", () => {
    const text = textOf(page);
    for (const part of ["boundary sweep --out RUN", "llama-server -m base.gguf --lora trimmed.gguf", "llama.cpp b1"]) {
      expect(text).toContain(part);
    }
    for (const hash of ["ba5e", "da7a", "9a", "7r"]) expect(text).toContain(hash);
    expect(tableOf(page, "Settings")).toContainEqual(["margin", "50"]);
    expect(text).toContain("Wall clock 1 s");
  });

  it("is images that are told in words, with ids of their own, and draws nothing that its policy forbids", () => {
    const images = [...page.matchAll(/<svg role="img"[\s\S]*?<\/svg>/g)].map(([image]) => image);
    // The main chart for wide and narrow screens, two other metrics, two speeds, bytes, differences.
    expect(images).toHaveLength(8);
    for (const image of images) {
      expect(image).toMatch(/<title id="[\w-]+">[^<]+<\/title>\s*<desc id="[\w-]+">[^<]+<\/desc>/);
      expect(image).not.toMatch(/ (style|class)=|<style|<defs|url\(|undefined|NaN/);
    }
    expect(images[0]).toContain("chosen K=3");
    const ids = tagsOf(page).flatMap(({ attributes }) => attributes.get("id") ?? []);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    const named = [...page.matchAll(/aria-(?:labelled|described)by="([^"]+)"/g)].map(([, id]) => id ?? "");
    expect(named.length).toBeGreaterThan(16);
    expect(named.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it("tells selection and holdout apart by shape: circles on a band, and diamonds with bars", () => {
    const [image = ""] = /<svg role="img"[\s\S]*?<\/svg>/.exec(page) ?? [];
    const drawn = (pattern: RegExp): number => image.match(pattern)?.length ?? 0;
    expect(drawn(/<path [^>]*transform="matrix[^>]*fill="var\(--curve-1\)"/g)).toBe(7);
    expect(drawn(/<polygon [^>]*fill="var\(--curve-1\)"[^>]*fill-opacity="0.18"/g)).toBe(1);
    expect(drawn(/<polygon [^>]*fill="var\(--curve-2\)"/g)).toBe(3);
    expect(drawn(/stroke="var\(--curve-2\)"/g)).toBe(9);
  });

  it("stands alone: no address, no style attribute, no handler, and a policy that names its own style and script", () => {
    const tags = tagsOf(page);
    for (const { attributes } of tags) {
      for (const [name, value] of attributes) {
        expect(name).not.toMatch(/^(style|on\w+|src|srcset|action)$/);
        if (name === "href") expect(value).toMatch(/^(#|data:,$)/);
      }
    }
    const policy = tags.find(({ attributes }) => attributes.has("http-equiv"))?.attributes.get("content") ?? "";
    const contents = (name: string): string[] =>
      [...page.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, "g"))].map(([, content]) => content ?? "");
    for (const name of ["style", "script"]) {
      const hashes = contents(name).map((text) => createHash("sha256").update(text).digest("base64"));
      expect(hashes).toHaveLength(1);
      expect(policy).toContain(`${name}-src 'sha256-${hashes[0]!}'`);
    }
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it("is the same for the same run", () => {
    expect(runPage(report)).toBe(page);
  });
});

describe("hostile texts", () => {
  it("stay texts wherever a page shows them", async () => {
    const calm = await reportOf("calm", { settings: { groupBy: "kind" } });
    const names = new Set(tagsOf(runPage(calm)).map(({ name }) => name));
    const attributes = new Set(tagsOf(runPage(calm)).flatMap((tag) => [...tag.attributes.keys()]));
    const path = join(folder.path, "hostile");
    const { model, adapter, data, engine } = calm.result;
    const result = await writeFinishedRun(path, {
      answer: (boundary, sample) => (boundary === 6 && sample < 3 ? HOSTILE : boundary > 2 ? "Rome" : "Paris"),
      sample: (sample) => ({ id: `${HOSTILE}${sample}`, question: HOSTILE, [HOSTILE]: HOSTILE }),
      result: {
        notes: [HOSTILE],
        command: HOSTILE,
        model: { ...model, name: HOSTILE, path: HOSTILE, sha256: HOSTILE },
        adapter: { ...adapter, path: HOSTILE },
        data: { ...data, path: HOSTILE, holdoutPath: HOSTILE },
        engine: { ...engine, devices: [HOSTILE] },
        labels: { contains: HOSTILE, em: HOSTILE, f1: HOSTILE },
        verdict: { kind: "trim", sentences: [HOSTILE, HOSTILE] },
        trimmed: { file: HOSTILE, sha256: HOSTILE, bytes: 1, peft: HOSTILE },
      },
    });
    expect(result.notes).toEqual([HOSTILE]);
    const stats = [
      { judge: HOSTILE, questions: 1, answered: 1, unparseable: 0, failures: {}, notAsked: 0, notes: [HOSTILE] },
    ];
    const judge = { judges: [HOSTILE], systems: [{ name: HOSTILE, stats }], pairs: [], failure: HOSTILE };
    await writeFile(join(path, "judge.json"), JSON.stringify(judge));
    const row = { criterion: HOSTILE, system: HOSTILE, against: HOSTILE, wins: 1, losses: 0, ties: 0 };
    const votes = { voters: 1, rows: [row], agreement: HOSTILE, notes: [HOSTILE] };
    const report = { ...(await loadReport(path, { votes })), name: HOSTILE };
    const page = runPage(report);
    const tags = tagsOf(page);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(tags.filter(({ name }) => name === "script")).toHaveLength(2);
    const isNew = (known: Set<string>, all: readonly string[]): string[] => all.filter((one) => !known.has(one));
    expect(
      isNew(
        names,
        tags.map(({ name }) => name),
      ),
    ).toEqual([]);
    expect(
      isNew(
        attributes,
        tags.flatMap((tag) => [...tag.attributes.keys()]),
      ),
    ).toEqual([]);
    for (const control of ["\0", "\u001b"]) expect(page).not.toContain(control);
    const open: string[] = [];
    for (const { name, isEnd, isEmpty } of tags) {
      if (isEnd) expect(open.pop()).toBe(name);
      else if (!isEmpty) open.push(name);
    }
    expect(open).toEqual([]);
  });
});

describe("runs of other kinds", () => {
  it("say so where the full adapter was chosen, and compare it with the base alone", async () => {
    const page = runPage(await reportOf("keep", { answer: (boundary) => (boundary === 6 ? "Rome" : "Paris") }));
    expect(textOf(page)).toContain("No boundary helps: keep everything (K=6).");
    expect(tableOf(page, "Chosen less full, paired over the samples, in points")).toBeUndefined();
    expect(tableOf(page, "Chosen less base, paired over the samples, in points")).toHaveLength(4);
    expect(page).toContain("The chosen K less base, in points");
  });

  it("have one row for a candidate that is base and chosen", async () => {
    const page = runPage(await reportOf("base", { answer: (boundary) => (boundary === 0 ? "Rome" : "Paris") }));
    const rows = tableOf(page, "Selection: 12 samples, every boundary, with 95 % intervals");
    expect(rows?.[1]?.[0]).toBe("0 base, chosen");
    expect(tableOf(page, "Chosen less base, paired over the samples, in points")).toBeUndefined();
  });

  it("say that they are in-sample, with the correction", async () => {
    const page = runPage(await reportOf("in-sample", { counts: { selection: 12, holdout: 0 } }));
    expect(textOf(page)).toContain(
      "In-sample: the 12 samples that also chose K (no holdout), which flatters the choice.",
    );
    expect(textOf(page)).toContain("Corrected for having been picked on these samples");
    expect(textOf(page)).toContain("12 chose K; none were held out");
    expect(page).not.toContain("holdout (0 samples");
  });

  it("name the choices of the folds", async () => {
    const report = await reportOf("folds", { counts: { selection: 12, holdout: 0 }, settings: { folds: 3 } });
    const page = runPage(report);
    const folds = report.result.confirmation.foldBoundaries ?? [];
    expect(folds).toHaveLength(3);
    expect(textOf(page)).toContain(`each by the choice of the other folds (K=${folds.join(", ")})`);
    expect(tableOf(page, "Scores")?.[0]).toEqual(["metric", "base", "full", "chosen by the folds"]);
  });

  it("draw a candidate at each boundary that it stands for, and do without base and full among the candidates", async () => {
    const report = await reportOf("few", { boundaries: [0, 2, 3, 6] });
    const middle = report.result.candidates.filter(({ boundary }) => boundary === 2 || boundary === 3);
    const candidates = middle.map((one) => (one.boundary === 3 ? { ...one, boundaries: [3, 4, 5] } : one));
    const page = runPage({ ...report, result: { ...report.result, candidates } });
    const [image = ""] = /<svg role="img"[\s\S]*?<\/svg>/.exec(page) ?? [];
    expect(image.match(/<path [^>]*transform="matrix[^>]*fill="var\(--curve-1\)"/g)).toHaveLength(4);
    const rows = tableOf(page, "Selection: 12 samples, every boundary, with 95 % intervals");
    expect(rows?.map(([k]) => k)).toEqual(["K", "2", "3 to 5 chosen"]);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("have sections for judges and voters where these were asked", async () => {
    const report = await reportOf("judged");
    const paired = report.result.confirmation.comparisons[0]!.chosenMinusFull;
    const stats = [
      {
        judge: "j",
        questions: 10,
        answered: 8,
        unparseable: 1,
        failures: { timeout: 1 },
        notAsked: 0,
        notes: ["no seed"],
        orderBias: 25,
      },
    ];
    const score = { value: 71, low: 68, high: 74.5, n: 8, signature: "judges:j" };
    const judge = {
      judges: ["j"],
      systems: [
        { name: "full", score, stats },
        { name: "chosen", score: { ...score, value: 70 }, against: paired, stats },
      ],
      pairs: [
        {
          system: "chosen",
          against: "full",
          counts: { a: 3, b: 2, tie: 4, missing: 1 },
          wins: { value: 60, low: 23, high: 88, n: 5, p: 1 },
          stats,
        },
      ],
      extra: "of a later version",
    };
    await writeFile(join(folder.path, "judged", "judge.json"), JSON.stringify(judge));
    const votes = {
      voters: 2,
      rows: [
        {
          system: "chosen",
          against: "full",
          wins: 6,
          losses: 4,
          ties: 1,
          preference: { value: 60, low: 26, high: 88 },
        },
      ],
      agreement: "Cohen's kappa 0.4.",
      notes: [],
    };
    const page = runPage(await loadReport(join(folder.path, "judged"), { votes }));
    expect(tableOf(page, "Marks, 0 to 100")?.slice(1)).toEqual([
      ["full", "71.0", "68.0 to 74.5", "8", "", "", "judges:j"],
      ["chosen", "70.0", "68.0 to 74.5", "8", "+10.0", expect.stringContaining(" to +"), "judges:j"],
    ]);
    expect(tableOf(page, "Which answer the judges prefer, asked in both orders")?.[1]).toEqual([
      "chosen / full",
      "3",
      "2",
      "4",
      "1",
      "60.0",
      "23.0 to 88.0",
      "1.000",
      "25 %",
    ]);
    expect(tableOf(page, "What became of the questions")?.[1]).toEqual(["full", "j", "10", "8", "1", "1"]);
    expect(tableOf(page, "Votes")?.[1]).toEqual(["chosen / full", "6", "4", "1", "60.0", "26.0 to 88.0"]);
    expect(textOf(page)).toContain("2 people compared answers without knowing whose they were. Cohen's kappa 0.4.");
    expect(page).toContain('<a href="#judges">');
  });
});

describe("writing the page", () => {
  it("puts it into the run's folder or where it is asked for, replaces an old one, and leaves nothing else behind", async () => {
    const run = join(folder.path, "written");
    await writeFinishedRun(run);
    const before = await readdir(run);
    expect(await writeReport(run)).toBe(join(run, "report.html"));
    await writeFile(join(run, "report.html"), "old");
    await writeReport(run);
    expect((await readdir(run)).sort()).toEqual([...before, "report.html"].sort());
    const page = await readFile(join(run, "report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    const elsewhere = join(folder.path, "page.html");
    expect(await writeReport(run, { out: elsewhere })).toBe(elsewhere);
    expect(await readFile(elsewhere, "utf8")).toBe(page);
    expect(page).not.toContain(folder.path);
  });

  it("refuses a folder without a finished run, and a path that cannot be written", async () => {
    const error = await failureOf(RunFolderError, () => writeReport(folder.path));
    expect(error.message).toContain("holds no finished run");
    await failureOf(FileError, () =>
      writeReport(join(folder.path, "written"), { out: join(folder.path, "no", "page.html") }),
    );
  });

  it("refuses damaged marks of judges, and says what to do", async () => {
    const marks = join(folder.path, "written", "judge.json");
    await writeFile(marks, '{"judges": 1}');
    const error = await failureOf(FormatError, () => writeReport(join(folder.path, "written")));
    expect(error.message).toContain("Run boundary judge again");
    await rm(marks);
  });
});
