import { createHash, createHmac, randomBytes } from "node:crypto";
import { appendVote, readVotes, type Verdict, type VoteRow } from "../vote-file.js";
import type { VotePair, VotePairs } from "../vote-pairs.js";
import { valueText } from "../../samples/value-text.js";
import { shuffle } from "../../samples/shuffle.js";
import { ApiError } from "../../server/api-error.js";

/** Who is asked what. */
export interface BallotOptions {
  /** File with the votes. */
  readonly path: string;
  /** Decides which pairs a limit keeps, in which order each voter sees them, and which answer stands as A. 0 to 2^32 - 1. */
  readonly seed: number;
  /** Pairs that each voter is asked about, the same for all; undefined for all pairs. */
  readonly limit: number | undefined;
  /** What is asked beside the preference as a whole. */
  readonly criteria: readonly string[];
}

/** How far a voter is. */
export interface Progress {
  readonly total: number;
  readonly done: number;
  readonly skipped: number;
  /** Place of what is asked next, null where nothing is open. */
  readonly next: number | null;
  /** Place of the first one that was skipped, null where none was. */
  readonly firstSkipped: number | null;
}

/** One pair as a voter sees it: nothing in it depends on whose answers they are but the answers themselves. */
export interface BallotItem {
  /** Place in the voter's own order, from 0. */
  readonly at: number;
  readonly total: number;
  /** Stands for the pair and its sides; another one after each start of the server. */
  readonly token: string;
  /** The prompt's variables by name. */
  readonly fields: readonly { readonly name: string; readonly text: string }[];
  readonly references: readonly string[];
  readonly a: string;
  readonly b: string;
  /** The voter's own earlier vote; empty where there is none. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

/** The pairs as each voter is asked about them, and the votes so far. What a voter did is in the file alone, so any restart goes on. */
export class Ballots {
  private readonly pairs: readonly VotePair[];
  private readonly secret = randomBytes(32);
  /** The last row of each voter and pair. */
  private rows = new Map<string, VoteRow>();
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly source: Pick<VotePairs, "systems" | "part" | "pairs">,
    private readonly options: BallotOptions,
  ) {
    this.pairs = shuffle(options.seed, source.pairs).slice(0, options.limit);
  }

  /** Pairs that each voter is asked about. */
  get total(): number {
    return this.pairs.length;
  }

  /** Where a voter is, with what other processes wrote into the file. @throws FormatError, FileError as {@link readVotes}. */
  start(voter: string): Promise<Progress> {
    return this.inTurn(async () => {
      const { rows } = await readVotes(this.options.path);
      this.rows = new Map(rows.map((row) => [rowName(row), row]));
      return this.progress(voter, -1);
    });
  }

  /** @throws ApiError 404 for a place that does not exist. */
  item(voter: string, at: number): BallotItem {
    const pair = this.pairAt(voter, at);
    const { sample, texts } = pair;
    const [a, b] = this.isSwapped(voter, pair) ? [texts[1], texts[0]] : texts;
    return {
      at,
      total: this.total,
      token: this.token(voter, pair),
      fields: Object.entries(sample.variables).map(([name, value]) => ({ name, text: valueText(value) })),
      references: sample.references,
      a,
      b,
      verdicts: this.rowOf(voter, pair)?.verdicts ?? {},
    };
  }

  /**
   * Keeps a vote; resolves once it is on the disk.
   * @param verdicts empty to skip the pair, which leaves an earlier vote as it is.
   * @throws ApiError 404 for a place that does not exist, 409 for a token of something else, 400 for a criterion that is not asked;
   * FileError when the vote cannot be written.
   */
  vote(
    voter: string,
    { at, token }: Pick<BallotItem, "at" | "token">,
    verdicts: Readonly<Record<string, Verdict>>,
  ): Promise<Progress> {
    return this.inTurn(async () => {
      const pair = this.pairAt(voter, at);
      if (token !== this.token(voter, pair)) {
        const message = "This page is out of date. Reload it; your votes are kept.";
        throw new ApiError({ status: 409, message, code: "out_of_date" });
      }
      const isSkip = Object.keys(verdicts).length === 0;
      if (!isSkip) this.assertAsked(verdicts);
      if (!isSkip || this.rowOf(voter, pair) === undefined) await this.keep(voter, pair, verdicts);
      return this.progress(voter, at);
    });
  }

  private assertAsked(verdicts: Readonly<Record<string, Verdict>>): void {
    const unknown = Object.keys(verdicts).find((name) => name !== "overall" && !this.options.criteria.includes(name));
    if (unknown === undefined && verdicts["overall"] !== undefined) return;
    const message = unknown === undefined ? "verdicts.overall: is missing" : "verdicts: a criterion that is not asked";
    throw new ApiError({ status: 400, message, param: "verdicts", code: "invalid_value" });
  }

  private async keep(voter: string, pair: VotePair, verdicts: Readonly<Record<string, Verdict>>): Promise<void> {
    const { systems, part } = this.source;
    const [a, b] = this.isSwapped(voter, pair) ? [systems[1], systems[0]] : systems;
    const { key, sample } = pair;
    const row: VoteRow = { time: new Date().toISOString(), voter, part, sample: sample.id, key, a, b, verdicts };
    await appendVote(this.options.path, row);
    this.rows.set(rowName(row), row);
  }

  /** @param after place behind which to look first, so that whoever goes back is led forward again. */
  private progress(voter: string, after: number): Progress {
    const states = this.orderOf(voter).map((pair) => {
      const row = this.rowOf(voter, pair);
      return row === undefined ? "open" : Object.keys(row.verdicts).length === 0 ? "skipped" : "done";
    });
    const later = states.findIndex((state, at) => at > after && state === "open");
    const placeOf = (at: number): number | null => (at < 0 ? null : at);
    return {
      total: this.total,
      done: states.filter((state) => state === "done").length,
      skipped: states.filter((state) => state === "skipped").length,
      next: placeOf(later < 0 ? states.indexOf("open") : later),
      firstSkipped: placeOf(states.indexOf("skipped")),
    };
  }

  private orderOf(voter: string): VotePair[] {
    return shuffle(this.digest(voter).readUInt32BE(0), this.pairs);
  }

  private pairAt(voter: string, at: number): VotePair {
    const pair = this.orderOf(voter)[at];
    if (pair) return pair;
    throw new ApiError({ status: 404, message: "There is no such pair of answers.", code: "unknown_item" });
  }

  /** Whether the second system's answer stands as A: as in the voter's earlier vote, else as the seed has it. */
  private isSwapped(voter: string, pair: VotePair): boolean {
    const earlier = this.rowOf(voter, pair);
    if (earlier) return earlier.a === this.source.systems[1];
    return this.digest(voter, pair.key).readUInt8(0) % 2 === 1;
  }

  private rowOf(voter: string, { key }: VotePair): VoteRow | undefined {
    return this.rows.get(rowName({ voter, key }));
  }

  private digest(...parts: readonly string[]): Buffer {
    return createHash("sha256")
      .update(JSON.stringify([this.options.seed, ...parts]))
      .digest();
  }

  private token(voter: string, pair: VotePair): string {
    const sides = String(this.isSwapped(voter, pair));
    return createHmac("sha256", this.secret)
      .update(JSON.stringify([voter, pair.key, sides]))
      .digest("base64url");
  }

  /** One after the other: a file read while a vote is written could lack it. */
  private inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(task);
    this.tail = turn.catch(() => undefined);
    return turn;
  }
}

function rowName({ voter, key }: Pick<VoteRow, "voter" | "key">): string {
  return `${voter}\0${key}`;
}
