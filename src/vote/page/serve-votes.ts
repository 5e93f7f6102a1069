import { votesPath } from "../vote-file.js";
import { votePairs, votePart, type SystemPair, type VotePairs } from "../vote-pairs.js";
import { UsageError } from "../../errors.js";
import { isLoopback } from "../../server/settings.js";
import { aborted } from "../../engine/aborted.js";
import { listen } from "../../server/listen.js";
import { loadRun } from "../../run/load-run.js";
import type { Part } from "../../samples/split.js";
import { voteApp } from "./app.js";
import { Ballots, type BallotOptions } from "./ballots.js";

/** A vote on a finished run. */
export interface VoteSettings extends Omit<BallotOptions, "path"> {
  /** Folder of the run. */
  readonly folder: string;
  readonly systems: SystemPair;
  /** Undefined for the holdout where there is one. */
  readonly part: Part | undefined;
  /** Who votes; undefined where the page asks. */
  readonly voter: string | undefined;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Key that voters must give; needed where other machines reach the page. */
  readonly apiKey: string | undefined;
}

/** How a caller follows a vote. */
export interface VoteHooks {
  readonly onListening?: (listening: {
    readonly url: string;
    readonly pairs: VotePairs;
    /** Pairs that each voter is asked about. */
    readonly asked: number;
  }) => void;
  /** Told of failures that voters are not told about in full, such as a full disk. */
  readonly onFailure?: (error: unknown) => void;
  /** Ends the vote. */
  readonly signal?: AbortSignal;
}

/**
 * Serves the page people vote on until the signal fires. Every vote is in the run's `votes.jsonl` before the page goes on.
 * @throws RunFolderError when the folder holds no finished run; UsageError for systems or a part without answers, where all answers are
 * the same, for an address that others reach without a key, and for a port that is taken.
 */
export async function serveVotes(settings: VoteSettings, hooks: VoteHooks = {}): Promise<void> {
  const { folder, systems, apiKey, criteria, voter } = settings;
  const { onListening, onFailure = () => undefined, signal } = hooks;
  assertSafe(settings);
  const run = await loadRun(folder);
  const pairs = votePairs(run, systems, settings.part ?? votePart(run));
  if (pairs.pairs.length === 0) {
    throw new UsageError({
      what: `${systems.join(" and ")} give the same answers to all ${pairs.samples} samples of the ${pairs.part}`,
      fix: "There is nothing to vote on; name others, such as --systems base,full.",
    });
  }
  const ballots = new Ballots(pairs, { ...settings, path: votesPath(folder) });
  const loopbackOnly = apiKey === undefined;
  const app = voteApp({ ballots, criteria, voter, apiKey, allowOrigins: [], loopbackOnly, onFailure });
  try {
    const url = await listen(app, settings);
    onListening?.({ url: `${url}/`, pairs, asked: ballots.total });
    await aborted(signal);
  } finally {
    await app.close();
  }
}

function assertSafe({ host, apiKey }: VoteSettings): void {
  if (isLoopback(host) || apiKey !== undefined) return;
  throw new UsageError({
    what: `--host ${host} can be reached from other machines, and there is no key`,
    fix: "Set BOUNDARY_API_KEY (or --api-key): the page asks voters for it.",
  });
}
