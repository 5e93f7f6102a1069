import { distance } from "fastest-levenshtein";

/** What a field is by its name: what is asked, what is given along with it, the answer that is right, or what a model answered. */
export type FieldRole = "question" | "context" | "reference" | "prediction";

/** What a word in a name says; `generic` says nothing beside another word, `never` that the field is nobody's to take. */
type WordMeaning = FieldRole | "generic" | "never";

/** Words by what they say, those that say it most clearly first. Without accents, in lower case. */
const words: Readonly<Record<WordMeaning, readonly string[]>> = {
  question: listed(
    "question query instruction prompt problem q user human ask inquiry request puzzle exercise task source src dialogue dialog",
    "conversation article document input utterance frage anweisung eingabe aufgabe pregunta instruccion entrada consulta domanda",
    "istruzione pergunta questao instrucao entree consigne enonce probleme problema vraag fraga pytanie otazka kysymys soru",
    "pertanyaan вопрос запрос задача вход سؤال प्रश्न คำถาม hỏi 问题 問題 提问 質問 指令 指示 输入 入力 题目 질문 입력",
  ),
  context: listed(
    "context passage paragraph background evidence knowledge story facts support hint kontext contexto contexte contesto контекст",
    "上下文 背景 文脈 문맥",
  ),
  reference: listed(
    "gold golden reference ref answer target tgt trg expected truth groundtruth solution label summary highlight translation",
    "completion response output reply assistant gpt bot chosen result correct antwort losung loesung ausgabe zusammenfassung",
    "ubersetzung respuesta solucion salida resumen traduccion reponse sortie resume traduction risposta soluzione resposta solucao",
    "saida antwoord svar odpowiedz odpoved vastaus cevap yanit jawaban ответ решение перевод جواب उत्तर คำตอบ lời 答案 回答 答え",
    "解答 输出 出力 译文 摘要 回复 答复 参考 답변 정답 출력",
  ),
  prediction: listed("prediction predicted pred hypothesis hypotheses hyp generated generation 예측 预测 予測"),
  generic: listed("text content string value sentence body message model final str raw 文本"),
  never: listed("rejected rejection wrong incorrect distractor negative"),
};

const meanings: ReadonlyMap<string, WordMeaning> = new Map(
  (Object.keys(words) as WordMeaning[]).flatMap((meaning) =>
    words[meaning].map((word) => [plain(word), meaning] as const),
  ),
);

/** Scripts without spaces run their words together. */
const unspaced = [...meanings].filter(([word]) =>
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+$/u.test(word),
);

/** Last words that make a field say something about another one. */
const about: ReadonlySet<string> = new Set(
  listed(
    "id ids idx index type kind length len start end date time url lang language category topic score count number num name title",
    "token tokens hash key prob logprob mask",
  ),
);

/** Our own names for fields by their role; others are further variables of a prompt. */
const ourNames: readonly (readonly [FieldRole, ReadonlySet<string>])[] = [
  ["question", new Set(listed("question dialogue source text"))],
  ["context", new Set(["context"])],
  [
    "reference",
    new Set(listed("answers answer references reference targets target translation label output completion summary")),
  ],
  ["prediction", new Set(["prediction"])],
];

/** The role of one of our own names for fields, undefined for the name of a further variable. */
export function roleOfOurs(ours: string): FieldRole | undefined {
  return ourNames.find(([, names]) => names.has(ours))?.[0];
}

/** Whether a field of that name may stand for one of ours: its name does not say that it is something else. */
export function mayStandFor(name: string, ours: string): boolean {
  const [theirs, role] = [clearRoleOf(name), roleOfOurs(ours)];
  if (role === "reference" || role === "prediction") return theirs !== "question" && theirs !== "context";
  return role === undefined || (theirs !== "reference" && theirs !== "prediction");
}

/**
 * What a field is by its name, in many spellings and languages, or undefined where the name does not say. A name that speaks of an answer
 * is never a question: `response_prompt` is neither. A name that says no more than that it is a text is a question's.
 */
export function roleOf(name: string): FieldRole | undefined {
  const clear = clearRoleOf(name);
  if (clear !== undefined) return clear;
  const tokens = tokensOf(name);
  const isText = tokens.length > 0 && tokens.every((token) => meaningOf(token) === "generic");
  return isText && !tokens.includes("model") ? "question" : undefined;
}

/** {@link roleOf}, undefined for names such as `text`. */
function clearRoleOf(name: string): FieldRole | undefined {
  const tokens = tokensOf(name);
  if (about.has(tokens.at(-1) ?? "") && tokens.length > 1) return undefined;
  const said = tokens.flatMap((token) => meaningOf(token) ?? []);
  if (said.includes("never")) return undefined;
  const clear = said.filter((meaning) => meaning !== "generic" && meaning !== "never");
  if (clear.includes("prediction")) return "prediction";
  const last = clear.at(-1);
  return clear.includes("reference") && last !== "reference" ? undefined : last;
}

/** How clearly a name says its role: the lower the clearer. */
export function clarityOf(name: string): number {
  const role = roleOf(name);
  if (role === undefined) return Number.POSITIVE_INFINITY;
  const places = tokensOf(name).map((token) => words[role].findIndex((word) => plain(word) === singular(token)));
  const found = places.filter((place) => place >= 0);
  // A longer name than the word alone is less clear than the word.
  return (found.length > 0 ? Math.min(...found) : words[role].length) + tokensOf(name).length / 10;
}

/** Whether a name is one of ours with a slip of the pen in it: one letter or two, by its length. */
export function isMisspelt(name: string, ours: string): boolean {
  const [theirs, own] = [plain(name), plain(ours)];
  return theirs === own || (own.length >= 4 && isNear(theirs, own, own.length >= 7 ? 2 : 1));
}

function meaningOf(token: string): WordMeaning | undefined {
  const exact = meanings.get(token) ?? meanings.get(singular(token));
  if (exact !== undefined) return exact;
  const inside = unspaced.find(([word]) => token.includes(word));
  if (inside) return inside[1];
  if (token.length < 5) return undefined;
  return [...meanings].find(([word]) => word.length >= 5 && isNear(token, word, word.length >= 8 ? 2 : 1))?.[1];
}

/** Whether two words differ in at most so many letters; two that changed places count as one. */
function isNear(left: string, right: string, letters: number): boolean {
  const difference = distance(left, right);
  if (difference <= letters) return true;
  return difference === 2 && left.length === right.length && sortedLetters(left) === sortedLetters(right);
}

function sortedLetters(word: string): string {
  return Array.from(word).sort().join("");
}

function tokensOf(name: string): readonly string[] {
  return name
    .replace(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})/gu, " ")
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .map((token) => plain(token).replace(/(?<=\D)\d+$/, ""))
    .filter((token) => token !== "");
}

/** "queries" gives "query", "answers" "answer". */
function singular(token: string): string {
  if (token.length < 4) return token;
  return token.endsWith("ies") ? `${token.slice(0, -3)}y` : token.replace(/s$/, "");
}

/** Without accents, in lower case. */
function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function listed(...lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split(" "));
}
