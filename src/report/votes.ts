import { paint } from "./paint.js";
import type { VoteResult, VoteResultRow } from "../vote/vote-result.js";
import { points, pText, shareRange } from "../choice/format-points.js";
import { plainTable } from "./table.js";

/** A column of the table of votes: its head, and the text of a row in it. */
export interface VoteColumn {
  readonly head: string;
  readonly text: (row: VoteResultRow) => string;
  readonly align: "words" | "number";
}

/** The columns of the table of votes; those that no row has anything for are left out. */
export function voteColumns(rows: readonly VoteResultRow[]): VoteColumn[] {
  const shown = (
    has: (row: VoteResultRow) => unknown,
    head: string,
    text: VoteColumn["text"],
    align: VoteColumn["align"] = "number",
  ): VoteColumn[] => (rows.some((row) => has(row) !== undefined) ? [{ head, text, align }] : []);
  const always = (): true => true;
  return [
    ...shown(
      always,
      "pair",
      ({ system, against, part }) => `${system} / ${against}${part === undefined ? "" : `, ${part}`}`,
      "words",
    ),
    ...shown(
      ({ criterion }) => criterion,
      "criterion",
      ({ criterion }) => criterion ?? "as a whole",
      "words",
    ),
    ...shown(always, "wins", ({ wins }) => String(wins)),
    ...shown(always, "losses", ({ losses }) => String(losses)),
    ...shown(always, "ties", ({ ties }) => String(ties)),
    ...shown(always, "preferred, %", ({ preference }) => (preference ? points(preference.value) : "")),
    ...shown(always, "95 % interval", ({ preference }) => (preference ? shareRange(preference) : "")),
    ...shown(
      ({ p }) => p,
      "p (sign test)",
      ({ p }) => (p === undefined ? "" : pText(p)),
    ),
    ...shown(
      ({ votes }) => votes,
      "single votes",
      ({ votes }) => (votes ? `${votes.wins} / ${votes.losses} / ${votes.ties}` : ""),
    ),
    ...shown(
      ({ agreement }) => agreement,
      "same vote, %",
      ({ agreement }) => (agreement ? points(agreement.raw) : ""),
    ),
    ...shown(
      ({ agreement }) => agreement?.alpha,
      "alpha",
      ({ agreement }) => agreement?.alpha?.toFixed(2) ?? "",
    ),
  ];
}

/** Who compared what, in a sentence. */
export function votersText({ voters }: Pick<VoteResult, "voters">): string {
  return `${voters === 1 ? "One person" : `${voters} people`} compared answers without knowing whose they were.`;
}

/** What people preferred, for a terminal. */
export function votesReport(votes: VoteResult): string {
  const { rows, agreement, notes } = votes;
  const columns = voteColumns(rows);
  const table = plainTable(columns.map(({ head }) => head));
  for (const row of rows) table.push(columns.map(({ text }) => text(row)));
  return [
    paint.bold(votersText(votes)),
    ...(rows.length > 0 ? [table.toString()] : []),
    ...(agreement === undefined ? [] : [agreement]),
    ...notes.map((note) => `note: ${note}`),
  ].join("\n");
}
