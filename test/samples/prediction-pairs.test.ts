import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { scoreOutputs } from "../../src/compare/score-outputs.js";
import { metricsByList } from "../../src/metrics/registry.js";
import type { QaRules } from "../../src/metrics/qa.js";
import { loadPredictions } from "../../src/samples/predictions.js";
import { temporaryFiles } from "./files.js";
import { jsonl } from "./files.js";

const file = temporaryFiles();

const question = (id: string, answers: readonly string[], more: object = {}) => ({
  id,
  question: `What is ${id}?`,
  answers: answers.map((text) => ({ text, answer_start: 0 })),
  ...more,
});
const squadFile = (version: string, qas: readonly unknown[]) =>
  file(
    `squad-${version}.json`,
    JSON.stringify({ version, data: [{ title: "T", paragraphs: [{ context: "c", qas }] }] }),
  );

async function official(data: string, predictions: unknown, rules: QaRules, metrics = "em,f1") {
  const path = await file("predictions.json", JSON.stringify(predictions, null, 1));
  const loaded = await loadPredictions(path, { references: [data] });
  const groupBy = loaded.format === "squad2.0" ? "answerable" : undefined;
  const scored = scoreOutputs(loaded.predictions, {
    metrics: metricsByList(metrics, { rules }),
    extract: undefined,
    groupBy,
    seed: 0,
  });
  return {
    loaded,
    values: scored.scores.map(({ value }) => value),
    n: scored.scores[0]?.n,
    groups: Object.fromEntries(
      Object.entries(scored.groups).map(([name, own]) => [name, [...own.map(({ value }) => value), own[0]?.n]]),
    ),
  };
}

// The numbers of this file were computed by the published scripts' own functions on the same input.
describe("predictions by id with their data set", () => {
  const qas = [
    question("q0", ["the"]),
    question("q1", ["red lamp", "a lamp"]),
    question("q2", ["Torholm mill", "Torholm"]),
    question("q3", ["1901"]),
    question("q4", ["España"]),
  ];

  it("SQuAD v1.1: a question without a prediction is wrong, also where the empty answer would be right", async () => {
    const data = await squadFile("1.1", qas);
    const { values, n, loaded } = await official(
      data,
      { q1: "The red lamp.", q2: "Torholm hill", q3: "", q4: "españa", extra: "x" },
      "squad",
    );
    // evaluate-v1.1.py: {"exact_match": 40.0, "f1": 53.333333333333336}, and two lines on stderr less one: q0 is unanswered.
    expect([n, loaded.format]).toEqual([5, "squad1.1"]);
    expect(values).toEqual([40, expect.closeTo(53.333333333333336, 9)]);
    expect(loaded.notes).toEqual([
      expect.stringMatching(
        /^1 of 5 questions have no prediction in .*, the first is "q0"\. They count as wrong, as evaluate-v1\.1\.py counts them\.$/,
      ),
      expect.stringMatching(/^1 of 5 predictions answer no question of .*, the first is "extra"\.$/),
    ]);
    const empty = await official(data, { q0: "", q1: "x" }, "squad");
    expect(empty.values[0]).toBe(20);
  });

  it("SQuAD v2.0: a question without a prediction is left out, and there are scores of both kinds of questions", async () => {
    const impossible = { is_impossible: true, plausible_answers: [{ text: "x", answer_start: 0 }] };
    const data = await squadFile("v2.0", [
      ...qas,
      question("q5", [], impossible),
      question("q6", [], impossible),
      question("q7", [], impossible),
    ]);
    const { values, n, groups, loaded } = await official(
      data,
      { q0: "", q1: "red", q2: "Torholm", q4: "", q5: "", q6: "x" },
      "squad2",
    );
    // evaluate-v2.0.py: exact 50.0, f1 61.11..., total 6; HasAns 50, 66.66..., 4; NoAns 50, 50, 2.
    expect([n, loaded.format]).toEqual([6, "squad2.0"]);
    expect(values).toEqual([50, expect.closeTo(61.11111111111111, 9)]);
    expect(groups).toEqual({ HasAns: [50, expect.closeTo(66.66666666666667, 9), 4], NoAns: [50, 50, 2] });
    expect(loaded.notes).toEqual([
      expect.stringMatching(/^2 of 8 questions .*"q3"\. They are left out, as evaluate-v2\.0\.py does\.$/),
    ]);
  });

  it("HotpotQA: answers of the file with answers and supporting facts, all four numbers", async () => {
    const gold = ["yes", "the red lamp", "Torholm", "no"].map((answer, i) => ({
      _id: `h${i}`,
      question: "?",
      answer,
      type: i > 1 ? "bridge" : "comparison",
    }));
    const data = await file("hotpot.json", JSON.stringify(gold));
    const predictions = { answer: { h0: "yes, it is", h1: "lamp", h2: "Torholm mill" }, sp: { h0: [["T", 0]] } };
    const { values, n, loaded } = await official(data, predictions, "hotpotqa", "em,f1,precision,recall");
    // hotpot_evaluate_v1.py: em 0, f1 1/3, prec 0.375, recall 0.375.
    expect([n, loaded.format]).toEqual([4, "hotpotqa"]);
    expect(values).toEqual([0, 33.333333333333336, 37.5, 37.5].map((value) => expect.closeTo(value, 9) as number));
    expect(loaded.predictions.map(({ variables }) => variables["type"])).toEqual([
      "comparison",
      "comparison",
      "bridge",
      "bridge",
    ]);
    expect(loaded.notes).toHaveLength(2);
    expect(loaded.notes[0]).toMatch(/"h3"\. They count as wrong, as hotpot_evaluate_v1\.py counts them/);
  });

  it("rows with ids are joined as well, with data of our own layout and the hub's", async () => {
    const rows = await file("rows.jsonl", jsonl({ id: "a", prediction_text: "x" }, { qid: 2, prediction: "y" }));
    const own = await file(
      "own.jsonl",
      jsonl(
        { id: "a", question: "?", answer: "x" },
        { id: "2", question: "?", answers: { text: ["z", "y"], answer_start: [0, 1] } },
      ),
    );
    const { predictions, format } = await loadPredictions(rows, { references: [own] });
    expect(format).toBe("jsonl");
    expect(predictions.map(({ id, prediction, references }) => [id, prediction, references])).toEqual([
      ["a", "x", ["x"]],
      ["2", "y", ["z", "y"]],
    ]);
    const hub = await file("hub.jsonl", jsonl({ id: "a", question: "?", answers: { text: [], answer_start: [] } }));
    expect((await loadPredictions(rows, { references: [hub] })).format).toBe("squad2.0");
  });

  it("files that cannot be meant are refused with what they are", async () => {
    const data = await squadFile("1.1", qas);
    const write = (value: unknown, name = "p.json") => file(name, JSON.stringify(value, null, 2));
    const refused = async (path: string, references: string | undefined, said: RegExp): Promise<void> => {
      const load = loadPredictions(path, references === undefined ? {} : { references: [references] });
      await expect(load).rejects.toThrow(UsageError);
      await expect(load).rejects.toThrow(said);
    };
    const predictions = await write({ q1: "x" }, "by-id.json");
    await refused(
      predictions,
      undefined,
      /predictions by id, but no references.*--data .*by-id\.json --references DATA/,
    );
    await refused(data, undefined, /has no predictions.*--data PREDICTIONS --references/);
    await refused(data, data, /has no predictions: found questions in SQuAD's layout/);
    await refused(
      data,
      predictions,
      /If the files are the other way round: --data .*by-id\.json --references .*squad-1\.1\.json/,
    );
    await refused(predictions, predictions, /has no references: found predictions by id/);
    await refused(
      await write({ other: "x" }),
      data,
      /answers no question of .*: found the id "other", where the data has "q0"/,
    );
    await refused(
      await write({ q1: [{ text: "x", probability: 1 }] }),
      data,
      /the best answers to each question, not one/,
    );
    await refused(await write({ q1: 0.5 }), data, /holds numbers/);
    await refused(await write({}), data, /holds no predictions/);
    await refused(await write({ peft_type: "LORA" }), data, /configuration of an adapter/);
    await refused(await write({ peft_type: "LORA" }), undefined, /configuration of an adapter/);
    await refused(await write({ tool: { name: "boundary" }, notes: [] }), data, /the result of a run.*boundary score/);
    await refused(await write({ exact_match: 50, f1: 60 }), data, /the scores of an evaluation, not its outputs/);
    await refused(
      predictions,
      await file("lines.txt", "a\n"),
      /do not go together: found JSON in .*by-id\.json and lines of text in .*lines\.txt/,
    );
    await refused(await file("lines.txt", "a\n"), data, /do not go together: found JSON in .*squad-1\.1\.json/);
    await refused(
      await file(
        "gold.jsonl",
        jsonl({ _id: "q1", question: "?", answer: "a" }, { _id: "q2", question: "?", answer: "a" }),
      ),
      data,
      /has no predictions: found questions with their answers/,
    );
    await refused(
      await file("outputs.jsonl", jsonl({ boundary: 1, part: "holdout", sampleId: "a", output: "b" })),
      undefined,
      /the answers of a run/,
    );
  });
});

describe("samples of lm-evaluation-harness", () => {
  const row = (id: number, more: object) => ({
    doc_id: id,
    doc: { question: `q${id}`, level: "hard" },
    target: `t${id}`,
    resps: [[`r${id}`]],
    ...more,
  });

  it("are read by their filtered responses, or by the responses", async () => {
    const path = await file(
      "samples.jsonl",
      jsonl(row(0, { filtered_resps: ["f0"] }), row(1, { filtered_resps: [["f1"]] })),
    );
    const { predictions, format } = await loadPredictions(path);
    expect(format).toBe("lm-eval");
    expect(predictions).toEqual([
      { id: "0", variables: { question: "q0", level: "hard" }, references: ["t0"], prediction: "f0" },
      { id: "1", variables: { question: "q1", level: "hard" }, references: ["t1"], prediction: "f1" },
    ]);
    const raw = await loadPredictions(path, { map: { prediction: "resps" } });
    expect(raw.predictions.map(({ prediction }) => prediction)).toEqual(["r0", "r1"]);
    const gold = await loadPredictions(path, { map: { references: "doc.level" } });
    expect(gold.predictions.map(({ references }) => references)).toEqual([["hard"], ["hard"]]);
    const plain = await file("plain.jsonl", jsonl(row(0, {}), row(1, { target: 7 })));
    expect(
      (await loadPredictions(plain)).predictions.map(({ prediction, references }) => [prediction, references]),
    ).toEqual([
      ["r0", ["t0"]],
      ["r1", ["7"]],
    ]);
  });

  it("of several filters need one to be named", async () => {
    const rows = ["strict-match", "flexible-extract"].flatMap((filter) =>
      [0, 1].map((id) => row(id, { filter, filtered_resps: [`${filter} ${id}`] })),
    );
    const path = await file("filters.jsonl", jsonl(...rows));
    await expect(loadPredictions(path)).rejects.toThrow(
      /several filters: found strict-match, flexible-extract.*--filter strict-match or --filter flexible-extract/,
    );
    const { predictions, notes } = await loadPredictions(path, { filter: "flexible-extract" });
    expect([predictions.map(({ prediction }) => prediction), notes]).toEqual([
      ["flexible-extract 0", "flexible-extract 1"],
      ['Outputs as the filter "flexible-extract" left them.'],
    ]);
    await expect(loadPredictions(path, { filter: "strict" })).rejects.toThrow(
      /no filter of that name: found strict, expected strict-match, flexible-extract/,
    );
    expect(
      (await loadPredictions(path, { map: { prediction: "resps" } })).predictions.map(({ prediction }) => prediction),
    ).toEqual(["r0", "r1"]);
    const other = await file("other.jsonl", jsonl({ prediction: "a", references: ["a"] }));
    await expect(loadPredictions(other, { filter: "none" })).rejects.toThrow(UsageError);
  });

  it("are refused where a response is not one text", async () => {
    const several = await file("several.jsonl", jsonl(row(0, { filtered_resps: [["a", "b"]] })));
    await expect(loadPredictions(several)).rejects.toThrow(
      /line 1: "filtered_resps" does not hold one text.*--map prediction=filtered_resps\.0\.0/,
    );
    expect(
      (await loadPredictions(several, { map: { prediction: "filtered_resps.0.0" } })).predictions[0]?.prediction,
    ).toBe("a");
    const choices = await file(
      "choices.jsonl",
      jsonl(
        row(0, {
          filtered_resps: [
            ["-1.5", "False"],
            ["-0.5", "True"],
          ],
        }),
      ),
    );
    await expect(loadPredictions(choices)).rejects.toThrow(/holds log-likelihoods of choices/);
  });
});
