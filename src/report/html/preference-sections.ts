import { points, pText, shareRange, signed, signedRange } from "../../choice/format-points.js";
import { range } from "../figures.js";
import type { JudgeMarks, VoteResult } from "../report-input.js";
import { voteColumns, votersText } from "../votes.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { table } from "./table.js";

/** Said wherever a judge's verdicts are shown. */
const STEERING =
  "A judge reads the texts that it judges, and such a text can try to steer it: look at the answers before you trust a surprising mark.";

type Judged = JudgeMarks["systems"][number];
type JudgedPair = JudgeMarks["pairs"][number];
type Stats = Judged["stats"][number];

/** What language models said of the answers. */
export function judgeSection(judge: JudgeMarks | undefined): Content {
  if (!judge) return undefined;
  const { judges, systems, pairs, failure } = judge;
  const first = systems[0]?.name ?? "the first";
  const names = [...new Set([...systems, ...pairs].flatMap(({ stats }) => stats.flatMap(({ notes }) => notes)))];
  return markup`<section id="judges" aria-labelledby="judges-title">
<h2 id="judges-title">Judges</h2>
<p>Language models marked the answers: ${judges.join(", ")}. ${STEERING}</p>
${failure !== undefined && markup`<p class="notes">Not complete: ${failure}</p>\n`}${table<Judged>(
    "Marks, 0 to 100",
    [
      { head: "system", cell: ({ name }) => name, align: "words" },
      { head: "mark", cell: ({ score }) => score && points(score.value) },
      { head: "95 % interval", cell: ({ score }) => score && range(score) },
      { head: "samples", cell: ({ score }) => score?.n ?? 0 },
      { head: `less ${first}`, cell: ({ against }) => against && signed(against.difference) },
      { head: "95 % interval", cell: ({ against }) => against && signedRange(against) },
      { head: "signature", cell: ({ score }) => score && markup`<code>${score.signature}</code>`, align: "words" },
    ],
    systems,
  )}${pairs.length > 0 && pairTable(pairs)}${askedTable(judge)}${names.length > 0 && markup`<ul class="notes">${names.map((note) => markup`<li>${note}</li>`)}</ul>\n`}</section>
`;
}

function pairTable(pairs: readonly JudgedPair[]): Html {
  return table<JudgedPair>(
    "Which answer the judges prefer, asked in both orders",
    [
      { head: "pair", cell: ({ system, against }) => `${system} / ${against}`, align: "words" },
      { head: "wins", cell: ({ counts }) => counts.a },
      { head: "losses", cell: ({ counts }) => counts.b },
      { head: "ties", cell: ({ counts }) => counts.tie },
      { head: "no verdict", cell: ({ counts }) => counts.missing },
      { head: "win share", cell: ({ wins }) => wins && points(wins.value) },
      { head: "95 % interval", cell: ({ wins }) => wins && shareRange(wins) },
      { head: "p (sign test)", cell: ({ wins }) => wins?.p !== undefined && pText(wins.p) },
      {
        head: "order decided",
        cell: ({ stats }) =>
          stats.flatMap(({ orderBias }) => (orderBias === undefined ? [] : [`${orderBias.toFixed(0)} %`])).join(", "),
      },
    ],
    pairs,
  );
}

function askedTable({ systems, pairs }: JudgeMarks): Html {
  const rows = [
    ...systems.flatMap(({ name, stats }) => stats.map((own) => ({ name, own }))),
    ...pairs.flatMap(({ system, against, stats }) => stats.map((own) => ({ name: `${system} / ${against}`, own }))),
  ];
  const failed = ({ failures, notAsked }: Stats): number =>
    Object.values(failures).reduce((sum, count) => sum + count, 0) + notAsked;
  return table<(typeof rows)[number]>(
    "What became of the questions",
    [
      { head: "questions about", cell: ({ name }) => name, align: "words" },
      { head: "judge", cell: ({ own }) => own.judge, align: "words" },
      { head: "questions", cell: ({ own }) => own.questions },
      { head: "verdicts", cell: ({ own }) => own.answered },
      { head: "no verdict", cell: ({ own }) => own.unparseable },
      { head: "refused or failed", cell: ({ own }) => failed(own) },
    ],
    rows,
  );
}

/** What people preferred. */
export function voteSection(votes: VoteResult | undefined): Content {
  if (!votes) return undefined;
  const { rows, agreement, notes } = votes;
  const columns = voteColumns(rows).map(({ head, text, align }) => ({ head, cell: text, align }));
  return markup`<section id="votes" aria-labelledby="votes-title">
<h2 id="votes-title">People</h2>
<p>${votersText(votes)}${agreement !== undefined && ` ${agreement}`}</p>
${rows.length > 0 && table("Votes", columns, rows)}${notes.length > 0 && markup`<ul class="notes">${notes.map((note) => markup`<li>${note}</li>`)}</ul>\n`}</section>
`;
}
