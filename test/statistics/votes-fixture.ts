import { readFileSync } from "node:fs";

/** Numbers of `make_votes_fixture.py`, whose head says what they are. */
export interface VotesFixture {
  readonly binomial: readonly (readonly [
    right: number,
    samples: number,
    level: number,
    low: number,
    high: number,
    p: number,
  ])[];
  readonly agreement: readonly { readonly units: readonly (readonly string[])[]; readonly alpha: number | null }[];
}

/** The rows of fixtures/votes.jsonl. */
export function votesFixture(): VotesFixture {
  const text = readFileSync(new URL("fixtures/votes.jsonl", import.meta.url), "utf8");
  const rows = text
    .split("\n")
    .filter((line) => line !== "")
    .map(
      (line) => JSON.parse(line) as { binomial: VotesFixture["binomial"][number] } | VotesFixture["agreement"][number],
    );
  return {
    binomial: rows.flatMap((row) => ("binomial" in row ? [row.binomial] : [])),
    agreement: rows.flatMap((row) => ("units" in row ? [row] : [])),
  };
}
