import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Verdict, VoteRow } from "../../src/vote/vote-file.js";
import { votePairs, type VotePairs } from "../../src/vote/vote-pairs.js";
import { voteResult } from "../../src/vote/vote-result.js";
import { loadRun, type FinishedRun } from "../../src/run/load-run.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { voteRow, writeVoteRun } from "../vote/vote-run.js";

const folder = temporaryFolder();
let run: FinishedRun;
let pairs: VotePairs;

beforeAll(async () => {
  await writeVoteRun(join(folder.path, "run"));
  run = await loadRun(join(folder.path, "run"));
  pairs = votePairs(run, ["chosen", "full"], "holdout");
});

/** Stands for a number to 7 digits. */
const close = (value: number): number => expect.closeTo(value, 7) as number;

/** A vote on the pair at this place. */
const vote = (at: number, voter: string, overall: Verdict, more: { swapped?: boolean } = {}): VoteRow =>
  voteRow(pairs, pairs.pairs[at], voter, { overall }, more);

describe("voteResult", () => {
  it("counts wins, losses and ties of the chosen, whichever side it stood on, with exact interval and sign test", () => {
    const rows = [
      vote(0, "Ada", "a"),
      vote(1, "Ada", "b", { swapped: true }),
      vote(2, "Ada", "a"),
      vote(3, "Ada", "a", { swapped: true }),
      vote(4, "Ada", "tie"),
    ];
    const { voters, rows: results, notes, agreement } = voteResult(run, { rows, torn: 0 });
    expect(voters).toBe(1);
    expect(agreement).toBeUndefined();
    // SciPy: binomtest(3, 4) has the exact interval 0.19412044968 to 0.99369053669 and p 0.625.
    expect(results).toEqual([
      {
        system: "chosen",
        against: "full",
        wins: 3,
        losses: 1,
        ties: 1,
        preference: { value: 75, low: close(19.412044968), high: close(99.369053669) },
        p: close(0.625),
      },
    ]);
    expect(notes).toEqual([
      "chosen / full: votes on 5 of 8 samples of the holdout; 1 with identical answers, not asked.",
    ]);
  });

  it("counts a voter's last vote on a pair alone, and none that was skipped", () => {
    const skipped = voteRow(pairs, pairs.pairs[1], "Ada", {});
    const rows = [vote(0, "Ada", "a"), skipped, vote(0, "Ada", "b")];
    const [row, ...more] = voteResult(run, { rows, torn: 0 }).rows;
    expect(more).toEqual([]);
    expect(row).toMatchObject({ wins: 0, losses: 1, ties: 0, preference: { value: 0, low: 0 } });
  });

  it("of several voters counts each sample once, by the majority, and says how far they agree", () => {
    const rows = [
      ...["Ada", "Bo", "Cy"].map((voter) => vote(0, voter, "a")),
      ...(["a", "a", "b"] as const).map((verdict, i) => vote(1, `v${i}`, verdict)),
      ...(["a", "b"] as const).map((verdict, i) => vote(2, `v${i}`, verdict)),
      vote(3, "Ada", "tie"),
    ];
    const { voters, rows: results, agreement, notes } = voteResult(run, { rows, torn: 0 });
    expect(voters).toBe(6);
    // The Python package krippendorff gives -0.1666... for [win x 3], [win, win, loss], [win, loss].
    expect(results[0]).toMatchObject({
      wins: 2,
      losses: 0,
      ties: 2,
      votes: { wins: 6, losses: 2, ties: 1 },
      agreement: { samples: 3, raw: 50, alpha: close(-1 / 6) },
    });
    expect(agreement).toMatch(
      /^On the 3 samples with several votes, 50 % .*Krippendorff's alpha \(nominal.*\) -0\.17\.$/,
    );
    expect(notes[1]).toContain("not independent");
  });

  it("gives each criterion a row of its own, the whole first, over the samples that were judged on it", () => {
    const rows = [
      voteRow(pairs, pairs.pairs[0], "Ada", { fluency: "a", accuracy: "b", overall: "tie" }),
      voteRow(pairs, pairs.pairs[1], "Ada", { fluency: "a", overall: "a" }, { swapped: true }),
    ];
    const { rows: results } = voteResult(run, { rows, torn: 0 });
    expect(results.map(({ criterion, wins, losses, ties }) => [criterion, wins, losses, ties])).toEqual([
      [undefined, 0, 1, 1],
      ["fluency", 1, 1, 0],
      ["accuracy", 0, 1, 0],
    ]);
  });

  it("without a win or a loss has no preference", () => {
    const [row] = voteResult(run, { rows: [vote(0, "Ada", "tie")], torn: 0 }).rows;
    expect(row).toEqual({ system: "chosen", against: "full", wins: 0, losses: 0, ties: 1 });
  });

  it("keeps pairs of systems and parts apart, and says where the samples also chose K", () => {
    const base = votePairs(run, ["full", "base"], "holdout");
    const chose = votePairs(run, ["chosen", "full"], "selection");
    const rows = [
      vote(0, "Ada", "a"),
      voteRow(base, base.pairs[0], "Ada", { overall: "b" }),
      voteRow(chose, chose.pairs[0], "Bo", { overall: "b" }),
    ];
    const { rows: results, notes } = voteResult(run, { rows, torn: 0 });
    expect(results.map(({ system, against, part, wins, losses }) => [system, against, part, wins, losses])).toEqual([
      ["chosen", "full", undefined, 1, 0],
      ["full", "base", undefined, 0, 1],
      ["chosen", "full", "selection", 0, 1],
    ]);
    expect(notes[2]).toContain("selection, which also chose K");
  });

  it("leaves votes on other answers out and says so, also of systems that the run does not have", () => {
    const stale = { ...vote(0, "Ada", "a"), key: "f".repeat(64) };
    const unknown = { ...vote(0, "Ada", "a"), key: "e".repeat(64), a: "K=5" };
    const { voters, rows, notes } = voteResult(run, { rows: [stale, unknown, vote(1, "Bo", "a")], torn: 1 });
    expect([voters, rows[0]?.wins]).toEqual([1, 1]);
    expect(notes.slice(1)).toEqual([
      "2 votes left out: given to answers that this run does not hold.",
      "1 line of the votes cut off by a crash and left out.",
    ]);
    expect(voteResult(run, { rows: [stale], torn: 0 })).toMatchObject({ voters: 0, rows: [] });
  });

  it("mirrors when every verdict does, and does not depend on sides or on the order of different voters' votes", () => {
    const verdicts = fc.array(fc.tuple(fc.nat(6), fc.nat(3), fc.constantFrom<Verdict>("a", "b", "tie"), fc.boolean()), {
      minLength: 1,
      maxLength: 30,
    });
    const opposite = { a: "b", b: "a", tie: "tie" } as const;
    fc.assert(
      fc.property(verdicts, (all) => {
        const once = [...new Map(all.map((one) => [`${one[0]} ${one[1]}`, one])).values()];
        const result = (rows: VoteRow[]): ReturnType<typeof voteResult> => voteResult(run, { rows, torn: 0 });
        const plain = result(once.map(([at, voter, verdict]) => vote(at, `v${voter}`, verdict)));
        const sides = once.map(([at, voter, verdict, swapped]) =>
          vote(at, `v${voter}`, swapped ? opposite[verdict] : verdict, { swapped }),
        );
        expect(result(sides.reverse()).rows[0]).toEqual({
          ...plain.rows[0],
          ...(plain.rows[0]?.agreement && { agreement: expect.anything() as unknown }),
        });
        const [mirrored] = result(once.map(([at, voter, verdict]) => vote(at, `v${voter}`, opposite[verdict]))).rows;
        const [row] = plain.rows;
        expect([mirrored?.wins, mirrored?.losses, mirrored?.ties]).toEqual([row?.losses, row?.wins, row?.ties]);
        expect(mirrored?.p).toEqual(row?.p);
        expect((row?.wins ?? 0) + (row?.losses ?? 0) + (row?.ties ?? 0)).toBe(new Set(once.map(([at]) => at)).size);
      }),
      { numRuns: 60 },
    );
  });
});
