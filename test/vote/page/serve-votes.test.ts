import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { CommanderError } from "commander";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { voteCommand } from "../../../src/cli/vote.js";
import { appendVote, readVotes, votesPath } from "../../../src/vote/vote-file.js";
import { votePairs, type VotePairs } from "../../../src/vote/vote-pairs.js";
import { voteResult, type VoteResult } from "../../../src/vote/vote-result.js";
import { RunFolderError, UsageError } from "../../../src/errors.js";
import { reportMarkdown } from "../../../src/report/markdown.js";
import { loadReport } from "../../../src/report/report-input.js";
import { runPage } from "../../../src/report/html/run-page.js";
import { loadRun } from "../../../src/run/load-run.js";
import { failureOf } from "../../support/failure.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { voteRow, writeVoteRun } from "../vote-run.js";

const folder = temporaryFolder();
let run: string;
let voted: string;
let pairs: VotePairs;

beforeAll(async () => {
  [run, voted] = [join(folder.path, "run"), join(folder.path, "voted")];
  await writeVoteRun(run);
  await writeVoteRun(voted);
  pairs = votePairs(await loadRun(voted), ["chosen", "full"], "holdout");
  for (const [at, overall] of (["a", "a", "b", "tie"] as const).entries()) {
    await appendVote(votesPath(voted), voteRow(pairs, pairs.pairs[at], "Ada", { fluency: "a", overall }));
    await appendVote(votesPath(voted), voteRow(pairs, pairs.pairs[at], "Bo", { overall }));
  }
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs `boundary vote` in this process. @param whenListening is told the address; what it returns is awaited, then the vote ends. */
async function callVote(
  args: readonly string[],
  whenListening: (url: string) => Promise<void> = () => Promise.resolve(),
): Promise<{ stdout: string; stderr: string }> {
  const interruption = new AbortController();
  let [stdout, stderr] = ["", ""];
  const failures: unknown[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean((stdout += String(text))));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    const url = /^http:\S+/.exec(stderr)?.[0];
    if (url !== undefined) {
      whenListening(url)
        .catch((error: unknown) => failures.push(error))
        .finally(() => {
          interruption.abort();
        });
    }
    return true;
  });
  const command = voteCommand(interruption.signal)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  await command.parseAsync([...args], { from: "user" });
  if (failures.length > 0) throw failures[0];
  return { stdout: stripVTControlCharacters(stdout), stderr };
}

describe("boundary vote", () => {
  it("says where it listens and what it asks, and prints the result when it is ended", async () => {
    const ask = async (url: string, path: string, body: object): Promise<{ token: string; a: string }> => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${url}api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      return (await answer.json()) as { token: string; a: string };
    };
    const { stdout, stderr } = await callVote([run, "--port", "0", "--limit", "5"], async (url) => {
      expect((await fetch(url)).status).toBe(200);
      const { token, a } = await ask(url, "item", { voter: "Ada", at: 0 });
      const overall = a.startsWith("answer of 4") ? "a" : "b";
      await ask(url, "vote", { voter: "Ada", at: 0, token, verdicts: { overall } });
    });
    expect(stderr).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/ asks about 5 of 8 samples of the holdout \(chosen \/ full; 1 with identical answers\)\./,
    );
    expect(stdout).toMatch(/^One person compared answers without knowing whose they were\.\n/);
    expect(stdout).toMatch(/chosen \/ full +1 +0 +0 +100\.0 +2\.5 to 100\.0 +1\.000/);
  });

  it("prints that nobody has voted, and takes two systems in any order", async () => {
    const { stdout, stderr } = await callVote([run, "--port", "0", "--systems", "base,full", "--part", "selection"]);
    expect(stderr).toContain("6 samples of the selection (full / base;");
    expect(stdout).toContain("One person");
    const empty = join(folder.path, "empty");
    await writeVoteRun(empty);
    expect((await callVote([empty, "--port", "0"])).stdout).toBe("No votes.\n");
  });

  it("prints the result alone with --result, as a table or as JSON", async () => {
    const { stdout } = await callVote([voted, "--result"]);
    expect(
      stdout
        .split("\n")
        .slice(0, 4)
        .map((line) => line.trim().split(/ {2,}/)),
    ).toEqual([
      ["2 people compared answers without knowing whose they were."],
      [
        "pair",
        "criterion",
        "wins",
        "losses",
        "ties",
        "preferred, %",
        "95 % interval",
        "p (sign test)",
        "single votes",
        "same vote, %",
        "alpha",
      ],
      ["chosen / full", "as a whole", "2", "1", "1", "66.7", "9.4 to 99.2", "1.000", "4 / 2 / 2", "100.0", "1.00"],
      ["chosen / full", "fluency", "4", "0", "0", "100.0", "39.8 to 100.0", "0.125"],
    ]);
    expect(stdout).toContain("Krippendorff's alpha (nominal, ties a value of their own) 1.00.");
    expect(stdout).toContain("note: chosen / full: votes on 4 of 8 samples");
    const json = JSON.parse((await callVote([voted, "--result", "--json"])).stdout) as VoteResult;
    expect(json).toMatchObject({ voters: 2, rows: [{ wins: 2, losses: 1, ties: 1 }, { criterion: "fluency" }] });
  });

  it.each([
    ["a single system", ["--systems", "full"]],
    ["one system twice", ["--systems", "full,full"]],
    ["an unknown system", ["--systems", "full,trimmed"]],
    ["a criterion that is no name", ["--criteria", "<b>"]],
    ["the whole as a criterion", ["--criteria", "overall"]],
    ["a voter without a name", ["--voter", " "]],
    ["a limit of nothing", ["--limit", "0"]],
    ["a port that does not exist", ["--port", "65536"]],
  ])("refuses %s", async (_, flags) => {
    await expect(callVote([run, ...flags])).rejects.toBeInstanceOf(CommanderError);
  });

  it("says what is wrong before it listens", async () => {
    const refused = (...flags: string[]): Promise<UsageError> =>
      failureOf(UsageError, () => callVote([run, "--port", "0", ...flags]));
    expect((await refused("--host", "0.0.0.0")).message).toContain("there is no key");
    expect((await refused("--systems", "chosen,K=4")).message).toContain("are one candidate");
    expect((await refused("--systems", "K=2,full")).message).toContain("no answers of K=2");
    await failureOf(RunFolderError, () => callVote([folder.path]));
    const unvoted = join(folder.path, "unvoted");
    await writeVoteRun(unvoted, { answer: () => "the same" });
    expect((await failureOf(UsageError, () => callVote([unvoted, "--result"]))).message).toContain("holds no votes");
    const same = failureOf(UsageError, () => callVote([unvoted, "--port", "0", "--systems", "base,full"]));
    expect((await same).message).toContain("the same answers");
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    expect((await refused("--port", String(port))).message).toContain("another process listens there");
    taken.close();
  });
});

describe("the report", () => {
  it("shows the votes of the run's folder, on the page and in Markdown", async () => {
    const report = await loadReport(voted);
    expect(report.votes).toEqual(voteResult(await loadRun(voted), await readVotes(votesPath(voted))));
    const page = runPage(report);
    expect(page).toContain('<section id="votes"');
    expect(page).toMatch(/chosen \/ full<\/th><td class="words">fluency<\/td><td class="number">4</);
    const markdown = reportMarkdown(report);
    expect(markdown).toContain("#### People\n\n2 people compared");
    expect(markdown).toContain("| chosen / full | fluency | 4 | 0 | 0 | 100.0 | 39.8 to 100.0 | 0.125 |");
    expect(markdown).toContain("| --- | --- | ---: |");
  });

  it("says nothing of people where nobody voted, and takes given votes in place of the folder's", async () => {
    const unvoted = join(folder.path, "silent");
    await writeVoteRun(unvoted);
    const report = await loadReport(unvoted);
    expect(report.votes).toBeUndefined();
    expect(runPage(report)).not.toContain('id="votes"');
    expect(reportMarkdown(report)).not.toContain("People");
    const given = { voters: 9, rows: [], notes: [] };
    expect((await loadReport(voted, { votes: given })).votes).toBe(given);
  });
});
