import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roleOf } from "../../src/samples/field-roles.js";
import { loadSamples } from "../../src/samples/load.js";
import { loadPredictions } from "../../src/samples/predictions.js";
import { jsonl, temporaryFiles } from "./files.js";

const file = temporaryFiles();

const QUESTIONS = [
  ...[
    "question",
    "Question",
    "questions",
    "query",
    "user_query",
    "instruction",
    "prompt",
    "userPrompt",
    "input",
    "inputs",
    "problem",
  ],
  ...[
    "human",
    "user",
    "source_text",
    "src",
    "text",
    "input_text",
    "article",
    "dialogue",
    "Frage",
    "pregunta",
    "Pergunta",
    "вопрос",
    "问题",
    "質問",
    "질문",
    "qestion",
  ],
];
const ANSWERS = [
  ...[
    "answer",
    "answers",
    "Answer",
    "output",
    "outputs",
    "response",
    "completion",
    "target",
    "label",
    "assistant",
    "gpt",
    "chosen",
  ],
  ...[
    "solution",
    "summary",
    "translation",
    "gold",
    "ground_truth",
    "groundTruth",
    "model_answer",
    "answer_text",
    "final_answer",
    "reply",
  ],
  ...[
    "expected_output",
    "target_text",
    "highlights",
    "tgt",
    "Antwort",
    "respuesta",
    "réponse",
    "ответ",
    "答案",
    "参考答案",
    "回答",
    "답변",
    "anwser",
    "reponse",
  ],
];
const NEITHER = [
  "rejected",
  "distractor1",
  "wrong_answer",
  "id",
  "question_id",
  "answer_start",
  "question_type",
  "category",
  "response_prompt",
  "level",
  "url",
  "foo",
];

describe("the role of a field by its name", () => {
  it.each(QUESTIONS)("%s is a question's", (name) => {
    expect(roleOf(name)).toBe("question");
  });
  it.each(ANSWERS)("%s is an answer's", (name) => {
    expect(roleOf(name)).toBe("reference");
  });
  it.each(NEITHER)("%s is neither's", (name) => {
    expect(roleOf(name)).toBeUndefined();
  });
  it.each(["context", "passage", "background", "Kontext", "上下文"])("%s is a context's", (name) => {
    expect(roleOf(name)).toBe("context");
  });
  it.each(["prediction", "predicted_answer", "generated_text", "hyp"])("%s is a prediction's", (name) => {
    expect(roleOf(name)).toBe("prediction");
  });
});

describe("hints that name fields", () => {
  const kinds = ["qa", "math", "summary", "translation", "yes-no", "custom"] as const;
  const hinted = (message: string): readonly (readonly [string, string])[] =>
    [...message.matchAll(/--map ([^ `]+)/g)].flatMap(([, map = ""]) =>
      map.split(",").map((piece) => [piece.split("=")[0] ?? "", piece.split("=")[1] ?? ""] as const),
    );
  const asks = ["question", "dialogue", "source", "text"];

  it("never give a question the field of an answer, nor an answer that of a question, nor two the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom(...QUESTIONS, ...ANSWERS, ...NEITHER), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...kinds, "score" as const),
        async (names, kind) => {
          const path = await file("row.jsonl", jsonl(Object.fromEntries(names.map((name) => [name, "x"]))));
          const load = kind === "score" ? loadPredictions(path) : loadSamples(path, { kind });
          const message = await load.then(
            () => "",
            (cause: unknown) => String(cause),
          );
          const pairs = hinted(message).filter(([, theirs]) => theirs !== "NAME");
          for (const [ours, theirs] of pairs) {
            const isAsked = asks.includes(ours);
            const role = roleOf(theirs.split(".")[0] ?? "");
            if (ours === "context" || ours === "prediction") continue;
            expect([message, ours, theirs, role]).toEqual([message, ours, theirs, isAsked ? "question" : "reference"]);
          }
          // "x or y" are alternatives; within one map no field is given twice.
          for (const [, map = ""] of message.matchAll(/--map ([^ `]+)/g)) {
            const theirs = map.split(",").map((piece) => piece.split("=")[1] ?? "");
            expect(new Set(theirs.filter((name) => name !== "NAME")).size).toBe(
              theirs.filter((name) => name !== "NAME").length,
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("keep what the user mapped, and give what is missing besides", async () => {
    const path = await file("half.jsonl", jsonl({ q: "a", frage: "b", response: "c", foo: "d" }));
    await expect(loadSamples(path, { map: { question: "q" } })).rejects.toThrow(/--map question=q,answers=response$/);
    await expect(loadSamples(path)).rejects.toThrow(
      /--map question=frage,answers=response$|--map question=q,answers=response$/,
    );
    const unnamed = await file("unnamed.jsonl", jsonl({ foo: "a", answer: "b" }));
    await expect(loadSamples(unnamed)).rejects.toThrow(/say which in place of NAME: --map question=NAME$/);
  });

  it("correct a mapped name that is not there only by one of its kind", async () => {
    const path = await file("near.jsonl", jsonl({ ansver: "a", questin: "b" }));
    await expect(loadSamples(path, { map: { question: "anzver", answers: "ansver" } })).rejects.toThrow(
      /Correct --map\./,
    );
    await expect(loadSamples(path, { map: { question: "quetin", answers: "ansver" } })).rejects.toThrow(
      /Did you mean question=questin\?/,
    );
  });
});
