import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  stripThoughts,
  thoughtMarks,
  thoughtMarksOf,
  withoutThoughts,
  withThoughtClosed,
} from "../../src/tasks/thoughts.js";

describe("an answer without thoughts", () => {
  const cases: [what: string, output: string, answer: string][] = [
    ["none", "Rome", "Rome"],
    ["space around it", "  Rome\n", "Rome"],
    ["a complete thought", "<think>Is it Rome?</think>\n\nRome", "Rome"],
    ["an empty thought", "<think>\n\n</think>\n\nRome", "Rome"],
    ["two thoughts", "<think>a</think>Rome<think>b</think>, Italy", "Rome, Italy"],
    ["a thought that the prompt had opened", "Is it Rome? Yes.</think>\n\nRome", "Rome"],
    ["a thought that never ends", "<think>Is it Rome? Or Milan", ""],
    ["a thought that never ends behind an answer", "Rome <think>or Milan", "Rome"],
    ["lines in a thought", "<thinking>\na\nb\n</thinking>Rome", "Rome"],
    ["a reasoning tag", "<reasoning>a</reasoning>Rome", "Rome"],
    ["tags of two kinds", "<think>a</think><reasoning>b</reasoning>Rome", "Rome"],
    ["a closed thought and then an open one", "<think>a</think>Rome<think>b", "Rome"],
    ["nothing but a thought", "<think>a</think>", ""],
    ["a word that only looks like a tag", "<thinker>Rome</thinker>", "<thinker>Rome</thinker>"],
    ["an empty output", "", ""],
  ];
  it.each(cases)("%s", (_what, output, answer) => {
    expect(withoutThoughts(output)).toBe(answer);
  });

  it("never depends on what was thought", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("think", "thinking", "reasoning"), (thought, tag) => {
        fc.pre(!/<\/?(think|thinking|reasoning)>/.test(thought));
        expect(withoutThoughts(`<${tag}>${thought}</${tag}> Rome`)).toBe("Rome");
        expect(withoutThoughts(`${thought}</${tag}>Rome`)).toBe("Rome");
      }),
    );
  });
});

describe("stripping thoughts", () => {
  it.each(["", "  Rome\n", "\uFEFFRome", "Rome <b>x</b> ", "a < b > c"])(
    "leaves a text without marks as it is: %j",
    (text) => {
      expect(stripThoughts(text, thoughtMarks)).toBe(text);
    },
  );

  it("takes the marks that it is given, and the white space behind a thought", () => {
    const { open, close } = thoughtMarks.find((one) => one.open === "[THINK]")!;
    expect(stripThoughts(`${open}a${close}\n\n Rome `, thoughtMarks)).toBe("Rome ");
    expect(stripThoughts("use the </think> tag to close", [])).toBe("use the </think> tag to close");
  });

  it("is linear in the length of the output", () => {
    const started = performance.now();
    stripThoughts("<think>".repeat(300_000), thoughtMarks);
    stripThoughts("<think></think> ".repeat(100_000), thoughtMarks);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("the thoughts of a model", () => {
  it("are those that its chat template has", () => {
    const namesOf = (template?: string): string[] => thoughtMarksOf(template).map(({ open }) => open);
    expect(namesOf()).toEqual([]);
    expect(namesOf("{{ messages[0].content }}<|im_start|>assistant")).toEqual([]);
    expect(namesOf("{% set content = content.split('</think>')[-1] %}")).toEqual(["<think>"]);
    expect(namesOf("{{ '[THINK]' + message.reasoning + '[/THINK]' }}")).toEqual(["[THINK]"]);
  });
});

it.each([
  ["user: hi\nassistant: <think>\n", "user: hi\nassistant: <think>\n\n</think>\n\n"],
  ["hi [THINK]", "hi [THINK]\n\n[/THINK]\n\n"],
  ["hi <|START_THINKING|>\n\n", "hi <|START_THINKING|>\n\n<|END_THINKING|>\n\n"],
  ["say <think> aloud ", "say <think> aloud "],
])("a thought that a prompt leaves open is closed, whatever its marks: %j", (prompt, closed) => {
  expect(withThoughtClosed(prompt)).toBe(closed);
});
