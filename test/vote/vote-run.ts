import type { Verdict, VoteRow } from "../../src/vote/vote-file.js";
import type { VotePair, VotePairs } from "../../src/vote/vote-pairs.js";
import { writeFinishedRun, type FinishedRunParts } from "../report/finished-run.js";

/** Boundaries of {@link writeVoteRun}. */
export const LAYERS = 6;

/**
 * A finished run to vote on, 6 layers, 8 samples of the holdout: the answers say by their text which system gave them ("answer of 0 to 3"
 * is the base's to the sample holdout-3); sample 0 is answered alike by all, and K=4 is chosen.
 */
export async function writeVoteRun(folder: string, parts: FinishedRunParts = {}): Promise<void> {
  await writeFinishedRun(folder, {
    layers: LAYERS,
    counts: { selection: 6, holdout: 8 },
    answer: (boundary, sample, part) => {
      if (part === "selection") return boundary === 4 ? "Rome" : `Paris ${boundary}`;
      return sample === 0 ? "alike" : `answer of ${boundary} to ${sample}`;
    },
    ...parts,
  });
}

/** A vote on a pair, for tests; `a` is the first system unless it is swapped. */
export function voteRow(
  { systems, part }: Pick<VotePairs, "systems" | "part">,
  pair: VotePair | undefined,
  voter: string,
  verdicts: Readonly<Record<string, Verdict>>,
  { swapped = false } = {},
): VoteRow {
  if (!pair) throw new RangeError("no such pair");
  const [a, b] = swapped ? [systems[1], systems[0]] : systems;
  return { time: "2026-01-02T03:04:05.678Z", voter, part, sample: pair.sample.id, key: pair.key, a, b, verdicts };
}
