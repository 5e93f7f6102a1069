import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { SampleError } from "../../src/errors.js";
import { loadSamples } from "../../src/samples/load.js";
import type { LoadOptions, Sample } from "../../src/samples/sample.js";
import { conversationFormatter } from "../../src/tasks/chat.js";
import { chatTemplateBy } from "../../src/tasks/chat-templates.js";
import { failureOf } from "../support/failure.js";
import { jsonl, temporaryFiles } from "./files.js";

/** What test/oracle/chat_prompts.py recorded of transformers. */
interface Recorded {
  readonly templates: Readonly<Record<string, string>>;
  readonly cases: readonly RecordedCase[];
}

interface RecordedCase {
  readonly name: string;
  readonly layout: string;
  readonly rows: readonly unknown[];
  readonly expected: readonly { readonly prompt: string; readonly references: readonly string[] }[];
  readonly template: string;
  readonly turns?: "last" | "all";
  readonly ids?: readonly string[];
  readonly notes?: readonly string[];
}

const recorded = JSON.parse(
  await readFile(new URL("../oracle/fixtures/chat-layouts.json", import.meta.url), "utf8"),
) as Recorded;
const file = temporaryFiles();

/** Prompt and references of samples under a template. */
async function asked(samples: readonly Sample[], name: string): Promise<RecordedCase["expected"]> {
  const chatTemplate = recorded.templates[name] ?? (await chatTemplateBy(name)).source;
  const model = { path: "m.gguf", chatTemplate, bosText: "<s>", eosText: "</s>" };
  const format = conversationFormatter(model, "chat", undefined);
  return samples.map(({ prompt, references }) => {
    if (prompt?.kind === "text") return { prompt: prompt.text, references };
    if (!prompt) throw new Error("no prompt");
    return { prompt: format.prompt(prompt), references: references.length > 1 ? references : [format.answer(prompt)] };
  });
}

const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const read = async (rows: readonly unknown[], options: LoadOptions = {}) =>
  loadSamples(await file("data.jsonl", jsonl(...rows)), options);

describe("layouts of training data", () => {
  it.each(recorded.cases.map((one) => [one.name, one] as const))(
    "%s: read as it means, with transformers' prompts",
    async (_, one) => {
      const data = await read(one.rows, one.turns ? { turns: one.turns } : {});
      expect(data.format).toBe(one.layout);
      expect(await asked(data.samples, one.template)).toEqual(one.expected);
      expect(data.samples.map(({ id }) => id)).toEqual(one.ids ?? one.expected.map((_, i) => `line-${i + 1}`));
      expect(data.notes).toEqual(one.notes ?? []);
    },
  );

  const whole = { messages: [user("q"), assistant("a")] };
  it.each<[what: string, row: unknown, said: RegExp]>([
    ["another layout", { instruction: "q", output: "a" }, /not in OpenAI's chat layout.*one in Alpaca's layout/s],
    ["no layout", { q: "q" }, /not in OpenAI's chat layout.*found q/s],
    ["no object", 7, /not in OpenAI's chat layout.*found 7/s],
    ["no assistant turn", { messages: [user("q")] }, /no turn of the conversation is the assistant's/],
    ["an empty reference", { messages: [user("q"), assistant(" ")] }, /turn 2, which is the reference, is empty/],
    ["a reference of null", { messages: [user("q"), assistant(null)] }, /turn 2, which is the reference, is empty/],
    ["two users in a row", { messages: [user("q"), user("r"), assistant("a")] }, /turn 2 is the user's and follows/],
    ["two answers in a row", { messages: [user("q"), assistant("a"), assistant("b")] }, /turn 3 is the assistant's/],
    ["an answer first", { messages: [assistant("a"), user("q"), assistant("b")] }, /turn 1 is .* and is the first/],
    [
      "a system message in the middle",
      { messages: [user("q"), assistant("a"), { role: "system", content: "s" }, user("q"), assistant("b")] },
      /turn 3 is the system's/,
    ],
    [
      "a tool that was not called",
      { messages: [user("q"), assistant("a"), { role: "tool", content: "x" }, assistant("b")] },
      /which calls nothing/,
    ],
    ["an unknown speaker", { messages: [user("q"), { role: "narrator", content: "x" }] }, /found "narrator"/],
    [
      "an image",
      { messages: [user([{ type: "image_url", image_url: { url: "x" } }]), assistant("a")] },
      /turn 1 holds a part of type image\b/,
    ],
    ["a number for a text", { messages: [user(7), assistant("a")] }, /turn 1 holds something else than text/],
  ])("%s is refused with the row that has it", async (_, row, said) => {
    const error = await failureOf(SampleError, () => read([whole, row]));
    expect(error.message).toMatch(said);
    expect(error.message).toContain("data.jsonl, line 2: ");
    expect(error.line).toBe(2);
    expect(error.message).toContain("--on-bad-row skip");
    const left = await read([whole, row, whole], { onBadRow: "skip" });
    expect(left.samples.map(({ id }) => id)).toEqual(["line-1", "line-3"]);
    expect(left.notes.join()).toMatch(/^1 of 3 rows cannot be read and are left out, the first: .*line 2: /);
  });

  it("of one text without a mark are refused, unless what stands before the answer is known", async () => {
    const rows = [{ text: "Q: q\nSay: a" }, { text: "Q: Say: it\nSay: b" }];
    const error = await failureOf(SampleError, () => read(rows));
    expect(error.message).toContain("nothing in it says where the answer begins");
    const { samples } = await read(rows, { answerMark: "\nSay:" });
    expect(samples.map(({ prompt, references }) => [prompt, references])).toEqual([
      [{ kind: "text", text: "Q: q\nSay:", stop: [] }, ["a"]],
      [{ kind: "text", text: "Q: Say: it\nSay:", stop: [] }, ["b"]],
    ]);
  });

  it("of which all rows are bad are refused even where bad rows are left out", async () => {
    await failureOf(SampleError, () => read([{ messages: [user("q")] }], { onBadRow: "skip" }));
  });

  it("are taken for rows of our own where fields are named, or that is said", async () => {
    const rows = [{ prompt: "p", completion: "c", question: "q", response: "r" }];
    const { samples, format } = await read(rows, { map: { answers: "response" } });
    expect([format, samples[0]?.references, samples[0]?.prompt]).toEqual(["jsonl", ["r"], undefined]);
    expect((await failureOf(SampleError, () => read(rows, { layout: "rows" }))).message).toContain("answers");
  });
});
