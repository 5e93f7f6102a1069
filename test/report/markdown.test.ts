import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reportMarkdown, runsMarkdown } from "../../src/report/markdown.js";
import { loadReport } from "../../src/report/report-input.js";
import { compareRuns } from "../../src/report/run-curves.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun } from "./finished-run.js";

const folder = temporaryFolder();

/** Cells of the table below a line with this text, its head first. */
function tableBelow(text: string, heading: string): string[][] {
  const lines = text.slice(text.indexOf(heading)).split("\n");
  const start = lines.findIndex((line) => line.startsWith("|"));
  const rest = lines.slice(start);
  const end = rest.findIndex((line) => !line.startsWith("|"));
  return rest
    .slice(0, end < 0 ? undefined : end)
    .filter((_, i) => i !== 1)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe("a run in Markdown", () => {
  it("gives the answer, before and after, every boundary, the most changed samples and the recipe", async () => {
    const path = join(folder.path, "first");
    const { verdict } = await writeFinishedRun(path);
    const text = reportMarkdown(await loadReport(path));
    expect(text.split("\n\n").slice(0, 2)).toEqual(["### Boundary report: first", `**${verdict.sentences[0] ?? ""}**`]);
    expect(text).toContain("\n> A note.\n");
    const [head, contains] = tableBelow(text, "#### Holdout: 10 samples that chose nothing");
    expect(head).toEqual([
      "metric",
      "base",
      "full",
      "chosen (K=3)",
      "chosen - full",
      "95 % interval",
      "p",
      "better/worse",
    ]);
    expect(contains?.filter((_, i) => i !== 5)).toEqual(["contains", "0.0", "90.0", "100.0", "+10.0", "1.000", "1/0"]);
    const boundaries = tableBelow(text, "Every boundary (selection, 12 samples)");
    expect(boundaries.map(([k]) => k)).toEqual(["K", "0 base", "1", "2", "3 chosen", "4", "5", "6 full"]);
    expect(boundaries[4]?.slice(4)).toEqual(["1.0", "970", "97", "3.0 kB"]);
    expect(tableBelow(text, "The most changed of 10 samples (holdout)")).toEqual([
      ["sample", "reference", "full", "chosen", "contains"],
      ["`holdout-0`", "`Rome`", "`It is Paris today`", "`Rome`", "+100.0"],
    ]);
    expect(text).toContain("```sh\nboundary sweep --out RUN\n```");
    expect(text).toContain("- model `base.gguf`, SHA-256 `ba5e`");
    expect(text.match(/<details>/g)).toHaveLength(text.match(/<\/details>/g)!.length);
  });

  it("leaves no texts that Markdown would take for its own", async () => {
    const path = join(folder.path, "hostile");
    const hostile = "a|b `c` ``d`` </details><script>x</script> **e** @someone [f](http://g) #1 $x$\n\n# h";
    await writeFinishedRun(path, {
      answer: (boundary) => (boundary === 6 ? hostile : boundary > 2 ? "Rome" : "Paris"),
      sample: (sample) => ({ id: `${hostile}${sample}`, question: "q" }),
      result: { notes: [hostile], command: "boundary ```\n~~~" },
    });
    const report = await loadReport(path);
    const text = reportMarkdown({ ...report, name: hostile });
    const rows = tableBelow(text, "The most changed of");
    expect(rows).toHaveLength(6);
    for (const row of rows) expect(row).toHaveLength(5);
    expect(rows[1]?.[2]).toBe(
      "```a\\|b `c` ``d`` </details><script>x</script> **e** @someone [f](http://g) #1 $x$ # h```",
    );
    expect(text).toContain(
      "> a\\|b \\`c\\` \\`\\`d\\`\\` \\</details\\>\\<script\\>x\\</script\\> \\*\\*e\\*\\* &#64;someone \\[f\\](http://g) \\#1 \\$x\\$ \\# h\n",
    );
    expect(text).toContain("````sh\nboundary ```\n~~~\n````");
    expect(text.replace(/(`+)(?!`)[^\n]*?\1(?!`)/g, "").match(/<\/details>/g)).toHaveLength(3);
  });

  it("leaves the samples out where the run has none", async () => {
    const report = await loadReport(join(folder.path, "first"));
    const { samples: _, ...rest } = report;
    expect(reportMarkdown(rest)).not.toContain("most changed");
  });
});

describe("several runs in Markdown", () => {
  it("give the common range and every run's differences", async () => {
    const paths = ["one", "two"].map((name) => join(folder.path, name));
    for (const path of paths) await writeFinishedRun(path);
    const text = runsMarkdown(await compareRuns(paths, 2));
    expect(text).toContain(
      "**K=3 to 6 keep both runs within 2 points of their own full adapter; the smallest such boundary is K=3.**",
    );
    const rows = tableBelow(text, "Points against");
    expect(rows[0]).toEqual(["K", "one, contains", "two, contains", "good for all"]);
    expect(rows.at(-1)).toEqual(["K=6", "0.0", "0.0", "yes, shown"]);
    expect(rows[4]).toEqual(["K=3", expect.stringMatching(/^\+8\.3 \(-/), expect.stringMatching(/^\+8\.3 \(-/), "yes"]);
  });
});
