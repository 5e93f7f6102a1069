import { UsageError } from "../errors.js";
import { nominalAgreement, type Agreement } from "../statistics/agreement.js";
import { preferenceShare, type PreferenceShare } from "../statistics/preference.js";
import type { Part } from "../samples/split.js";
import type { FinishedRun } from "../run/load-run.js";
import type { VoteRow, Votes } from "./vote-file.js";
import { systemPair, votePairs, type SystemPair, type VotePairs } from "./vote-pairs.js";

/** How often one system's answer was preferred to the other's. */
export interface VoteCounts {
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
}

/** What people preferred on one criterion. Counts are samples, each by the majority of its voters: votes on one sample are not independent. */
export interface VoteResultRow extends VoteCounts {
  /** Such as "fluency"; absent for the preference as a whole. */
  readonly criterion?: string;
  readonly system: string;
  readonly against: string;
  /** Named where the samples are those that chose K. */
  readonly part?: Part;
  /** 100 * wins / (wins + losses) with its exact 95 % interval (Clopper-Pearson); absent without a win or a loss. */
  readonly preference?: { readonly value: number; readonly low: number; readonly high: number };
  /** Two-sided p of the exact sign test: either answer is as likely to be preferred. */
  readonly p?: number;
  /** The single votes, where some sample has more than one. */
  readonly votes?: VoteCounts;
  /** Where some sample has more than one vote; `raw` 0-100. */
  readonly agreement?: { readonly samples: number; readonly raw: number; readonly alpha?: number };
}

/** What people preferred, each row a pair of systems, by criterion where they were asked by criteria. */
export interface VoteResult {
  readonly voters: number;
  readonly rows: readonly VoteResultRow[];
  /** How far voters agree, in words that name the measure. */
  readonly agreement?: string;
  readonly notes: readonly string[];
}

/** The votes on one pair of systems and one part. */
interface Ballot {
  readonly pairs: VotePairs;
  /** Votes on answers that the run has. */
  readonly rows: readonly VoteRow[];
}

/**
 * Counts the votes on a run. Of several by one voter on one pair of answers the last counts; votes on answers that the run does not have
 * (any more) are left out and told.
 */
export function voteResult(run: FinishedRun, { rows, torn }: Votes): VoteResult {
  const ballots = ballotsOf(run, lastVotes(rows));
  const counted = ballots.flatMap((ballot) => ballot.rows);
  const dropped = lastVotes(rows).length - counted.length;
  const results = ballots.map((ballot) => resultRows(ballot));
  const agreements = results.flatMap((ofPair) => agreementText(ofPair[0], ballots.length > 1));
  const several = results.some((ofPair) => ofPair.some(({ votes }) => votes !== undefined));
  return {
    voters: new Set(counted.map(({ voter }) => voter)).size,
    rows: results.flat(),
    ...(agreements.length === 0 ? {} : { agreement: agreements.join(" ") }),
    notes: [
      ...ballots.map(coverageText),
      ...(several
        ? [
            "Several people voted on one sample. Such votes are not independent, so each sample counts once, by the majority of its voters; even votes are a tie.",
          ]
        : []),
      ...(dropped > 0 ? [`${plural(dropped, "vote")} left out: given to answers that this run does not hold.`] : []),
      ...(torn > 0 ? [`${plural(torn, "line")} of the votes cut off by a crash and left out.`] : []),
    ],
  };
}

/** The last vote of each voter on each pair, without those that were skipped. */
export function lastVotes(rows: readonly VoteRow[]): VoteRow[] {
  const last = new Map(rows.map((row) => [`${row.voter}\0${row.key}`, row]));
  return [...last.values()].filter(({ verdicts }) => Object.keys(verdicts).length > 0);
}

function ballotsOf(run: FinishedRun, rows: readonly VoteRow[]): Ballot[] {
  const groups = new Map<string, { systems: SystemPair; part: Part; rows: VoteRow[] }>();
  for (const row of rows) {
    const systems = systemPair(row.a, row.b);
    const name = [...systems, row.part].join("\0");
    const group = groups.get(name) ?? { systems, part: row.part, rows: [] };
    group.rows.push(row);
    groups.set(name, group);
  }
  return [...groups.values()].flatMap((group) => {
    const pairs = pairsOf(run, group.systems, group.part);
    const keys = new Set(pairs?.pairs.map(({ key }) => key));
    const known = group.rows.filter(({ key }) => keys.has(key));
    return pairs && known.length > 0 ? [{ pairs, rows: known }] : [];
  });
}

/** Undefined where the run, made anew, has no such pair. */
function pairsOf(run: FinishedRun, systems: SystemPair, part: Part): VotePairs | undefined {
  try {
    return votePairs(run, systems, part);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** The preference as a whole first, then the criteria in the order in which they were asked first. */
function resultRows({ pairs, rows }: Ballot): VoteResultRow[] {
  const criteria = new Set(["overall", ...rows.flatMap(({ verdicts }) => Object.keys(verdicts))]);
  return [...criteria].flatMap((criterion) => {
    const samples = new Map<string, Preference[]>();
    for (const row of rows) {
      const preference = preferenceOf(row, criterion, pairs.systems[0]);
      if (preference !== undefined) samples.set(row.key, [...(samples.get(row.key) ?? []), preference]);
    }
    return samples.size === 0 ? [] : [resultRow(pairs, criterion, [...samples.values()])];
  });
}

/** In terms of the pair's first system. */
type Preference = "win" | "loss" | "tie";

function preferenceOf({ verdicts, a }: VoteRow, criterion: string, system: string): Preference | undefined {
  const verdict = verdicts[criterion];
  if (verdict === undefined || verdict === "tie") return verdict;
  return (verdict === "a") === (a === system) ? "win" : "loss";
}

/** @param samples the preferences of each sample's voters. */
function resultRow(
  { systems: [system, against], part }: VotePairs,
  criterion: string,
  samples: readonly (readonly Preference[])[],
): VoteResultRow {
  const bySample = counts(samples.map(majority));
  const { wins, losses } = bySample;
  const share = preferenceShare(wins, losses);
  const agreement = nominalAgreement(samples);
  return {
    ...(criterion === "overall" ? {} : { criterion }),
    system,
    against,
    ...(part === "selection" ? { part } : {}),
    ...bySample,
    ...(share === undefined ? {} : shareEntry(share)),
    ...(agreement ? { votes: counts(samples.flat()), agreement: inPercent(agreement) } : {}),
  };
}

function shareEntry({ p, ...preference }: PreferenceShare): Pick<VoteResultRow, "preference" | "p"> {
  return { preference, p };
}

function inPercent({ units, raw, alpha }: Agreement): NonNullable<VoteResultRow["agreement"]> {
  return { samples: units, raw: 100 * raw, ...(alpha === undefined ? {} : { alpha }) };
}

function majority(preferences: readonly Preference[]): Preference {
  const { wins, losses } = counts(preferences);
  return wins > losses ? "win" : losses > wins ? "loss" : "tie";
}

function counts(preferences: readonly Preference[]): VoteCounts {
  const count = (kind: Preference): number => preferences.filter((preference) => preference === kind).length;
  return { wins: count("win"), losses: count("loss"), ties: count("tie") };
}

function agreementText(row: VoteResultRow | undefined, isNamed: boolean): string[] {
  if (!row?.agreement) return [];
  const { samples, raw, alpha } = row.agreement;
  const where = isNamed ? `${row.system} / ${row.against}: ` : "";
  const measure = alpha === undefined ? "is not defined, as all votes are the same" : alpha.toFixed(2);
  return [
    `${where}On the ${plural(samples, "sample")} with several votes, ${raw.toFixed(0)} % of the pairs of votes are the same; Krippendorff's alpha (nominal, ties a value of their own) ${measure}.`,
  ];
}

function coverageText({ pairs, rows }: Ballot): string {
  const { systems, part, samples, identical } = pairs;
  const voted = new Set(rows.map(({ key }) => key)).size;
  const chose = part === "selection" ? ", which also chose K" : "";
  return `${systems.join(" / ")}: votes on ${voted} of ${plural(samples, "sample")} of the ${part}${chose}; ${identical} with identical answers, not asked.`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
