import { appendFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { appendVote, readVotes, votesPath } from "../../../src/vote/vote-file.js";
import { votePairs, type VotePairs } from "../../../src/vote/vote-pairs.js";
import { FileError } from "../../../src/errors.js";
import { ApiError } from "../../../src/server/api-error.js";
import { loadRun } from "../../../src/run/load-run.js";
import { Ballots, type BallotOptions } from "../../../src/vote/page/ballots.js";
import { failureOf } from "../../support/failure.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { voteRow, writeVoteRun } from "../vote-run.js";

const folder = temporaryFolder();
let pairs: VotePairs;
let path: string;

beforeAll(async () => {
  await writeVoteRun(folder.path, { counts: { selection: 6, holdout: 41 } });
  pairs = votePairs(await loadRun(folder.path), ["chosen", "full"], "holdout");
  path = votesPath(folder.path);
});
beforeEach(() => rm(path, { force: true }));

const ballots = (options: Partial<BallotOptions> = {}): Ballots =>
  new Ballots(pairs, { path, seed: 0, limit: undefined, criteria: ["fluency"], ...options });

/** What a voter is shown, in the voter's order: "4|6" where the chosen's answer stands as A. */
function shown(own: Ballots, voter: string): { samples: string[]; sides: string[] } {
  const items = Array.from({ length: own.total }, (_, at) => own.item(voter, at));
  const part = (text: string, at: number): string => text.split(" ")[at] ?? "";
  return { samples: items.map(({ a }) => part(a, 4)), sides: items.map(({ a, b }) => `${part(a, 2)}|${part(b, 2)}`) };
}

async function vote(own: Ballots, voter: string, at: number, overall: "a" | "b" | "tie"): ReturnType<Ballots["vote"]> {
  return own.vote(voter, own.item(voter, at), { overall });
}

describe("what a voter sees", () => {
  it("is every pair of different answers once, in an order and on sides of the voter's own that a restart keeps", () => {
    const [ada, bo] = [shown(ballots(), "Ada"), shown(ballots(), "Bo")];
    expect(new Set(ada.samples).size).toBe(40);
    expect(shown(ballots(), "Ada")).toEqual(ada);
    expect(bo.samples).not.toEqual(ada.samples);
    expect([...bo.samples].sort()).toEqual([...ada.samples].sort());
    expect(shown(ballots({ seed: 1 }), "Ada")).not.toEqual(ada);
  });

  it("has either system as A about as often, without a rule by place, sample or voter", () => {
    const voters = Array.from({ length: 50 }, (_, i) => `voter ${i}`).map((voter) => shown(ballots(), voter));
    const share = (sides: readonly string[]): number => sides.filter((one) => one === "4|6").length / sides.length;
    expect(new Set(voters.flatMap(({ sides }) => sides))).toEqual(new Set(["4|6", "6|4"]));
    // 2000 fair coins lie within 0.44 and 0.56 but for one time in 10 million; 50 within 0.12 and 0.88 likewise.
    expect(Math.abs(share(voters.flatMap(({ sides }) => sides)) - 0.5)).toBeLessThan(0.06);
    for (let at = 0; at < 40; at++) {
      expect(Math.abs(share(voters.map(({ sides }) => sides[at] ?? "")) - 0.5)).toBeLessThan(0.38);
    }
    for (const { sides } of voters) expect(Math.abs(share(sides) - 0.5)).toBeLessThan(0.42);
  });

  it("is the same pairs for all voters under a limit", () => {
    const few = ballots({ limit: 5 });
    expect(few.total).toBe(5);
    expect(shown(few, "Ada").samples.sort()).toEqual(shown(few, "Bo").samples.sort());
    expect(ballots({ limit: 500 }).total).toBe(40);
  });

  it("holds the question, the references and the answers, and nothing that tells whose they are", () => {
    const item = ballots().item("Ada", 0);
    expect(Object.keys(item).sort()).toEqual(["a", "at", "b", "fields", "references", "token", "total", "verdicts"]);
    expect(item.references).toEqual(["Rome"]);
    expect(item.fields).toEqual([
      { name: "question", text: expect.stringMatching(/^Where is number \d+\?$/) as string },
    ]);
    // Answers of this run say whose they are, so they are left out of the search.
    const rest = JSON.stringify({ ...item, a: "", b: "" });
    expect(rest).not.toMatch(/chosen|full|base|K=|holdout|selection/);
    expect(ballots().item("Ada", 0).token).not.toBe(item.token);
  });
});

describe("voting", () => {
  it("keeps each vote with its sides at once, leads on, and ends with nothing open", async () => {
    const own = ballots({ limit: 3 });
    expect(await own.start("Ada")).toEqual({ total: 3, done: 0, skipped: 0, next: 0, firstSkipped: null });
    const first = own.item("Ada", 0);
    expect(await own.vote("Ada", first, { fluency: "b", overall: "a" })).toMatchObject({ done: 1, next: 1 });
    const { rows } = await readVotes(path);
    const [system, other] = first.a.startsWith("answer of 4") ? ["chosen", "full"] : ["full", "chosen"];
    expect(rows).toMatchObject([{ voter: "Ada", a: system, b: other, verdicts: { fluency: "b", overall: "a" } }]);
    expect(first.a).toContain(rows[0]?.sample.replace("holdout-", " to ") ?? "none");
    await vote(own, "Ada", 1, "b");
    expect(await vote(own, "Ada", 2, "tie")).toMatchObject({ done: 3, next: null });
  });

  it("goes on where a voter stopped, after a restart and beside another process", async () => {
    const own = ballots();
    await own.start("Ada");
    for (const at of [0, 1, 2]) await vote(own, "Ada", at, "a");
    const other = ballots();
    expect(await other.start("Ada")).toMatchObject({ done: 3, next: 3 });
    expect(other.item("Ada", 1).verdicts).toEqual({ overall: "a" });
    await vote(other, "Ada", 3, "b");
    expect(await own.start("Ada")).toMatchObject({ done: 4, next: 4 });
    expect(await own.start("Bo")).toMatchObject({ done: 0, next: 0 });
  });

  it("lets a vote be changed by a new row, on the sides of the earlier one whatever the seed", async () => {
    const own = ballots();
    const before = own.item("Ada", 5);
    await vote(own, "Ada", 5, "a");
    const reseeded = ballots({ seed: 7 });
    await reseeded.start("Ada");
    const at = Array.from({ length: 40 }, (_, i) => i).find((i) => reseeded.item("Ada", i).verdicts["overall"]);
    const again = reseeded.item("Ada", at ?? -1);
    expect([again.a, again.b]).toEqual([before.a, before.b]);
    await reseeded.vote("Ada", again, { overall: "b" });
    const { rows } = await readVotes(path);
    expect(rows.map(({ verdicts }) => verdicts["overall"])).toEqual(["a", "b"]);
    expect(rows[0]?.a).toBe(rows[1]?.a);
    expect(await reseeded.start("Ada")).toMatchObject({ done: 1 });
  });

  it("keeps what was skipped for later, and a skip takes no vote away", async () => {
    const own = ballots({ limit: 3 });
    await own.start("Ada");
    expect(await own.vote("Ada", own.item("Ada", 0), {})).toMatchObject({
      done: 0,
      skipped: 1,
      next: 1,
      firstSkipped: 0,
    });
    await vote(own, "Ada", 1, "a");
    expect(await own.vote("Ada", own.item("Ada", 1), {})).toMatchObject({ done: 1, skipped: 1, next: 2 });
    expect(await vote(own, "Ada", 2, "a")).toMatchObject({ next: null, firstSkipped: 0 });
    expect(await vote(own, "Ada", 0, "a")).toMatchObject({ done: 3, skipped: 0, firstSkipped: null });
  });

  it("leads whoever went back to the next open pair behind, then to those before", async () => {
    const own = ballots({ limit: 4 });
    await own.start("Ada");
    await vote(own, "Ada", 1, "a");
    expect(await vote(own, "Ada", 1, "b")).toMatchObject({ next: 2 });
    await vote(own, "Ada", 2, "b");
    expect(await vote(own, "Ada", 3, "b")).toMatchObject({ next: 0 });
  });

  it("refuses a page of an earlier start, another place, and criteria that are not asked", async () => {
    const own = ballots();
    const codeOf = async (work: () => unknown): Promise<unknown> => {
      try {
        await work();
      } catch (error) {
        return error instanceof ApiError ? error.body.error.code : error;
      }
      return undefined;
    };
    const [stale, item] = [ballots().item("Ada", 0), own.item("Ada", 0)];
    expect(await codeOf(() => own.vote("Ada", stale, { overall: "a" }))).toBe("out_of_date");
    expect(await codeOf(() => own.vote("Bo", item, { overall: "a" }))).toBe("out_of_date");
    expect(await codeOf(() => own.vote("Ada", { at: 1, token: item.token }, { overall: "a" }))).toBe("out_of_date");
    expect(await codeOf(() => own.item("Ada", 40))).toBe("unknown_item");
    expect(await codeOf(() => own.vote("Ada", item, { overall: "a", charm: "b" }))).toBe("invalid_value");
    expect(await codeOf(() => own.vote("Ada", item, { fluency: "a" }))).toBe("invalid_value");
    expect(await readVotes(path)).toEqual({ rows: [], torn: 0 });
  });

  it("does not mix in votes on other answers", async () => {
    await appendVote(path, { ...voteRow(pairs, pairs.pairs[0], "Ada", { overall: "a" }), key: "f".repeat(64) });
    expect(await ballots().start("Ada")).toMatchObject({ done: 0, next: 0 });
  });

  it("fails a vote that cannot be written, and takes the next one", async () => {
    const lost = ballots({ path: join(folder.path, "gone", "votes.jsonl") });
    await failureOf(FileError, () => vote(lost, "Ada", 0, "a"));
    expect(lost.item("Ada", 0).verdicts).toEqual({});
    const own = ballots();
    await appendFile(path, '{"cut');
    await vote(own, "Ada", 0, "a");
    expect((await readFile(path, "utf8")).split("\n")).toHaveLength(3);
    expect(await own.start("Ada")).toMatchObject({ done: 1 });
  });

  it("takes votes of many voters at once", async () => {
    const own = ballots();
    const voters = Array.from({ length: 20 }, (_, i) => `voter ${i}`);
    await Promise.all(
      voters.flatMap((voter) => [own.start(voter), vote(own, voter, 0, "a"), vote(own, voter, 1, "b")]),
    );
    expect((await readVotes(path)).rows).toHaveLength(40);
    for (const voter of voters) expect(await own.start(voter)).toMatchObject({ done: 2, next: 2 });
  });
});
