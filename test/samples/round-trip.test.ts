import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadSamples } from "../../src/samples/load.js";
import { loadPredictions } from "../../src/samples/predictions.js";
import { jsonl, temporaryFiles } from "./files.js";

fc.configureGlobal({ seed: 11, numRuns: 60 });

const file = temporaryFiles();

/** Any text that UTF-8 can hold, with what most often goes wrong in it. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "\t", "\n", "\r", '"', "\\", "{", "[", "\f", "\u0085", "\u2028", "\ufeff", "嗯", "🦆"),
  }),
);
const filled = anyText.filter((text) => text.trim() !== "");
/** What a cell of a table can hold; a file's first character cannot be a byte order mark that is part of the text. */
const cell = filled.filter((text) => !/[\t\n\r]/.test(text)).map((text) => `|${text}`);

describe("any text comes back as it went in", () => {
  it("through JSONL of every kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(filled, filled, anyText), { minLength: 1, maxLength: 4 }), async (rows) => {
        const layouts = [
          ["qa", "question", "answer"],
          ["math", "question", "answer"],
          ["summary", "dialogue", "summary"],
          ["translation", "source", "target"],
          ["custom", "anything", "completion"],
        ] as const;
        for (const [kind, input, reference] of layouts) {
          // In a set of word problems a "####" would have to be followed by a number.
          fc.pre(kind !== "math" || rows.every(([, text]) => !text.includes("####")));
          const path = await file(
            "any.jsonl",
            jsonl(...rows.map(([a, b, c]) => ({ [input]: a, [reference]: b, other: c }))),
          );
          const { samples } = await loadSamples(path, { kind });
          expect(
            samples.map(({ variables, references }) => [variables[input], references, variables["other"]]),
          ).toEqual(rows.map(([a, b, c]) => [a, [b], c]));
        }
      }),
    );
  });

  it("through predictions", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyText, fc.array(anyText, { minLength: 1 })), { minLength: 1 }),
        async (rows) => {
          const path = await file(
            "predictions.jsonl",
            jsonl(...rows.map(([prediction, references]) => ({ prediction, references }))),
          );
          const { predictions } = await loadPredictions(path);
          expect(predictions.map(({ prediction, references }) => [prediction, references])).toEqual(rows);
        },
      ),
    );
  });

  it("through tables and parallel files", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
        fc.constantFrom("\n", "\r\n"),
        async (rows, end) => {
          const write = (name: string, lines: readonly string[]): Promise<string> =>
            file(name, lines.map((line) => line + end).join(""));
          const table = await write(
            "any.tsv",
            rows.map((cells) => cells.join("\t")),
          );
          const translations = await loadSamples(table, { kind: "translation" });
          expect(translations.samples.map(({ variables, references }) => [variables["source"], ...references])).toEqual(
            rows,
          );
          const labels = await loadSamples(table, { kind: "yes-no" });
          expect(labels.samples.map(({ variables, references }) => [variables["text"], ...references])).toEqual(rows);
          const source = await write(
            "any.a",
            rows.map(([text]) => text),
          );
          const reference = await write(
            "any.b",
            rows.map(([, text]) => text),
          );
          const parallel = await loadSamples(source, { kind: "translation", references: [reference] });
          expect(parallel.samples.map(({ variables, references }) => [variables["source"], ...references])).toEqual(
            rows,
          );
        },
      ),
    );
  });
});
