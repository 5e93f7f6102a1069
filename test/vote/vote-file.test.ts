import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendVote, criterionSchema, readVotes, voterSchema, type VoteRow } from "../../src/vote/vote-file.js";
import { FileError, FormatError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

const row = (voter: string, more: Partial<VoteRow> = {}): VoteRow => ({
  time: "2026-01-02T03:04:05.678Z",
  voter,
  part: "holdout",
  sample: "s",
  key: "0".repeat(64),
  a: "chosen",
  b: "full",
  verdicts: { overall: "a" },
  ...more,
});

describe("a file of votes", () => {
  it("that is not there has none", async () => {
    expect(await readVotes(join(folder.path, "none.jsonl"))).toEqual({ rows: [], torn: 0 });
  });

  it("gives back what was added, in that order, each on one line", async () => {
    const path = join(folder.path, "added.jsonl");
    const rows = [row("Ada"), row("Bo", { b: "K=3", verdicts: {} }), row("\u00c5sa \u{1f600}", { sample: 'a\n"b' })];
    for (const one of rows) await appendVote(path, one);
    expect(await readVotes(path)).toEqual({ rows, torn: 0 });
    expect((await readFile(path, "utf8")).split("\n")).toHaveLength(4);
  });

  it("keeps every whole vote wherever a crash cuts the last one off, and goes on after it", async () => {
    const path = join(folder.path, "torn.jsonl");
    await appendVote(path, row("Ada"));
    await appendVote(path, row("Bo"));
    const whole = await readFile(path);
    const second = whole.indexOf(0x0a) + 1;
    for (let end = second; end < whole.length; end += 7) {
      await writeFile(path, whole.subarray(0, end));
      expect(await readVotes(path)).toEqual({ rows: [row("Ada")], torn: end === second ? 0 : 1 });
      await appendVote(path, row("Cy"));
      const { rows, torn } = await readVotes(path);
      expect(rows.map(({ voter }) => voter)).toEqual(["Ada", "Cy"]);
      expect(torn).toBe(end === second ? 0 : 1);
    }
    await writeFile(path, whole.subarray(0, -1));
    await appendVote(path, row("Cy"));
    expect((await readVotes(path)).rows.map(({ voter }) => voter)).toEqual(["Ada", "Bo", "Cy"]);
  });

  it.each([
    ["no JSON object", "null"],
    ["a field too many", JSON.stringify({ ...row("Ada"), extra: 1 })],
    ["another verdict", JSON.stringify({ ...row("Ada"), verdicts: { overall: "c" } })],
    ["another system", JSON.stringify({ ...row("Ada"), a: "trimmed" })],
  ])("is refused with the line's number for %s", async (_, line) => {
    const path = join(folder.path, "wrong.jsonl");
    await writeFile(path, "");
    await appendVote(path, row("Ada"));
    await appendFile(path, `${line}\n`);
    const error = await failureOf(FormatError, () => readVotes(path));
    expect(error.message).toContain("line 2 is no vote");
  });

  it("that cannot be written fails the vote", async () => {
    const path = join(folder.path, "no", "such", "votes.jsonl");
    expect((await failureOf(FileError, () => appendVote(path, row("Ada")))).message).toContain("cannot write");
  });

  it("takes whole votes from several processes at once", async () => {
    const path = join(folder.path, "shared.jsonl");
    const text = "x".repeat(9000);
    // The same call as appendVote's: one write of a line to a file opened for appending.
    const program = `
      const { open } = require("node:fs/promises");
      (async () => {
        for (let i = 0; i < 40; i++) {
          const handle = await open(process.argv[1], "a+");
          await handle.write(Buffer.from(JSON.stringify({ ...JSON.parse(process.argv[2]), sample: i + process.argv[3] }) + "\\n"));
          await handle.sync();
          await handle.close();
        }
      })();`;
    const children = ["Bo", "Cy"].map((voter) =>
      spawn(process.execPath, ["-e", program, path, JSON.stringify(row(voter)), text], { stdio: "inherit" }),
    );
    const own = (async () => {
      for (let i = 0; i < 40; i++) await appendVote(path, row("Ada", { sample: `${i}${text}` }));
    })();
    const codes = await Promise.all(children.map(async (child): Promise<unknown> => (await once(child, "exit"))[0]));
    await own;
    expect(codes).toEqual([0, 0]);
    const { rows, torn } = await readVotes(path);
    expect(torn).toBe(0);
    for (const voter of ["Ada", "Bo", "Cy"]) {
      const samples = rows.filter((one) => one.voter === voter).map(({ sample }) => sample);
      expect(samples).toEqual(Array.from({ length: 40 }, (_, i) => `${i}${text}`));
    }
  });
});

describe("names", () => {
  it("of voters are one short visible line, in one form", () => {
    expect(voterSchema.parse("  A\u030asa ")).toBe("\u00c5sa");
    expect(voterSchema.parse("\u{1f600}".repeat(60))).toHaveLength(120);
    for (const name of ["", "   ", "a\nb", "a\u0000", "a\u202eb", "\ud800", "a".repeat(61)]) {
      expect(voterSchema.safeParse(name).success, JSON.stringify(name)).toBe(false);
    }
  });

  it("that are taken come back from the file as they are", async () => {
    const path = join(folder.path, "names.jsonl");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 70 }), async (name) => {
        const taken = voterSchema.safeParse(name);
        if (!taken.success) return;
        await writeFile(path, "");
        await appendVote(path, row(taken.data));
        expect((await readVotes(path)).rows).toEqual([row(taken.data)]);
      }),
      { numRuns: 25 },
    );
  });

  it("of criteria are short and never that of the whole", () => {
    for (const name of ["fluency", "level of detail"]) expect(criterionSchema.safeParse(name).success).toBe(true);
    for (const name of ["overall", "", "Fluency", "<b>", "a".repeat(41)]) {
      expect(criterionSchema.safeParse(name).success, name).toBe(false);
    }
  });
});
