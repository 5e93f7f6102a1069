import { at } from "../assert.js";
import { nodeConversion, type Conversion } from "./convert-command.js";
import { isRecord } from "./place.js";
import { turnsOf, type Turn } from "./turns.js";

/** Where the question and the answer of all rows of a file lie, or a command that puts them into fields. */
export type Way =
  | { readonly kind: "map"; readonly question: string; readonly answer: string }
  | { readonly kind: "convert"; readonly conversion: Conversion };

/** A file of conversations. */
export interface ChatLayout {
  readonly name: string;
  readonly way: Way;
  /** What of the conversations is not part of question and answer. */
  readonly leftOut: readonly string[];
}

type Row = Readonly<Record<string, unknown>>;

/** A text of a turn, in a program of {@link nodeConversion}: of one text, or of the parts that are texts. */
export const TURN_TEXT =
  "t=m=>[m].flat().slice(-1).map(m=>typeof m=='string'?m:[m.content||m.value||m.text||m.parts||''].flat().map(p=>p.text||p).filter(p=>typeof p=='string').join(''))[0]||''";

/** The conversations of rows that keep them in one field, such as `messages` or `conversations`; undefined for other rows. */
export function chatLayout(path: string, rows: readonly Row[]): ChatLayout | undefined {
  const [first] = rows;
  const names = Object.keys(first ?? {}).filter((name) => turnsOf(first?.[name]) !== undefined);
  const field = ["messages", "conversations", "contents"].find((name) => names.includes(name)) ?? names[0];
  if (field === undefined || names.includes("prompt") || names.includes("chosen")) return undefined;
  const talks = rows.map((row) => talkOf(turnsOf(row[field])));
  if (talks.every((talk) => talk === undefined)) return undefined;
  const turns = talks.flatMap((talk) => talk?.turns ?? []);
  const isShareGpt = firstTurn(first?.[field])?.["from"] !== undefined;
  return {
    name: `${isShareGpt ? "ShareGPT's" : "OpenAI's chat"} layout ("${field}", a list of turns)`,
    way: commonMap(field, talks) ?? { kind: "convert", conversion: conversionOf(path, field) },
    leftOut: [
      ...(systemOf(rows, field) ? ["system messages (--system gives one to all)"] : []),
      ...(talks.some((talk) => (talk?.questions ?? 0) > 1) ? ["earlier turns"] : []),
      ...(turns.some(({ isTool }) => isTool) ? ["calls of tools"] : []),
      ...(talks.includes(undefined) ? ["rows that do not end in an answer to a user"] : []),
    ],
  };
}

/** The way to a text in a field that holds one, or a list of turns of which the last one is meant; undefined for anything else. */
export function textPath(field: string, value: unknown): string | undefined {
  if (typeof value === "string") return field;
  const last = turnsOf(value)?.at(-1);
  return last?.textPath === undefined || !last.hasText ? undefined : `${field}.-1.${last.textPath}`;
}

interface Talk {
  readonly turns: readonly (Turn & { readonly isTool: boolean })[];
  readonly question: number;
  readonly questions: number;
}

/** A conversation that ends in an answer to a user; undefined for another. */
function talkOf(turns: readonly Turn[] | undefined): Talk | undefined {
  const last = turns?.at(-1);
  if (turns === undefined || last?.speaker !== "assistant" || !last.hasText) return undefined;
  const isQuestion = ({ speaker, hasText }: Turn): boolean => speaker === "user" && hasText;
  const question = turns.findLastIndex(isQuestion);
  if (question < 0) return undefined;
  const marked = turns.map((turn, index) => ({ ...turn, isTool: index > question && index < turns.length - 1 }));
  return { turns: marked, question, questions: turns.filter(isQuestion).length };
}

/** One way that leads to question and answer in every row: counted from the end, or from the beginning. */
function commonMap(field: string, talks: readonly (Talk | undefined)[]): Way | undefined {
  if (talks.length === 0 || !talks.every((talk) => talk !== undefined)) return undefined;
  const ways = (place: (talk: Talk) => number): string[] => [
    ...new Set(talks.map((talk) => `${field}.${place(talk)}.${at(talk.turns, talk.question).textPath ?? "?"}`)),
  ];
  const answers = new Set(talks.map(({ turns }) => `${field}.-1.${at(turns, turns.length - 1).textPath ?? "?"}`));
  const found = [ways(({ turns, question }) => question - turns.length), ways(({ question }) => question)];
  const [question] = found.find((group) => group.length === 1) ?? [];
  const [answer] = answers;
  if (question === undefined || answer === undefined || answers.size > 1 || `${question}${answer}`.includes("?"))
    return undefined;
  return { kind: "map", question, answer };
}

function conversionOf(path: string, field: string): Conversion {
  return nodeConversion(
    path,
    `r.flatMap(x=>{const ${TURN_TEXT},w=m=>m.role||m.from,v=x['${field}']||[],a=v.at(-1),` +
      "q=v.slice(0,-1).reverse().find(m=>/user|human/i.test(w(m))&&t(m));" +
      "return q&&/assistant|gpt|model|bot/i.test(w(a))&&t(a)?[{question:t(q),answer:t(a)}]:[]})",
  );
}

function systemOf(rows: readonly Row[], field: string): boolean {
  return rows.some(
    (row) =>
      typeof row["system"] === "string" ||
      firstTurn(row[field])?.["role"] === "system" ||
      firstTurn(row[field])?.["from"] === "system",
  );
}

function firstTurn(value: unknown): Row | undefined {
  const turns: readonly unknown[] = Array.isArray(value) ? value : [];
  const [first] = turns;
  return isRecord(first) ? first : undefined;
}
