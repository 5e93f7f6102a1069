import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, SampleError, TemplateError } from "../../src/errors.js";
import type { Sample } from "../../src/samples/sample.js";
import { bundledPrompt, loadPrompt, renderPrompt, type PromptTemplate } from "../../src/tasks/prompt.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

function sampleOf(variables: Sample["variables"]): Sample {
  return { id: "s1", variables, references: ["x"] };
}

async function promptOf(source: string): Promise<PromptTemplate> {
  const path = join(folder.path, "prompt.jinja");
  await writeFile(path, source);
  return loadPrompt(path);
}

describe("prompts/qa.jinja", () => {
  it("is the training prompt of the workbench, word for word", async () => {
    const prompt = await loadPrompt(bundledPrompt("qa.jinja"));
    const sample = sampleOf({ context: "Ann lives in Rome.", question: "Where does Ann live?" });
    expect(renderPrompt(prompt, sample, "data.jsonl")).toBe(
      "Answer the question with a short span from the context.\n\nContext: Ann lives in Rome.\n\nQuestion: Where does Ann live?",
    );
  });

  it.each([{}, { context: "" }])("leaves the context's lines out where there is none (%j)", async (rest) => {
    const prompt = await loadPrompt(bundledPrompt("qa.jinja"));
    expect(renderPrompt(prompt, sampleOf({ question: "Where?", ...rest }), "data.jsonl")).toBe(
      "Answer the question with a short span from the context.\n\nQuestion: Where?",
    );
  });

  it("takes texts as they are: braces, markup and line breaks in them mean nothing", async () => {
    const prompt = await loadPrompt(bundledPrompt("qa.jinja"));
    const context = '{{ question }} {% if %} <b> & "quotes"\n\nlast line\n';
    expect(renderPrompt(prompt, sampleOf({ context, question: "{# no comment #}" }), "data.jsonl")).toBe(
      `Answer the question with a short span from the context.\n\nContext: ${context}\n\nQuestion: {# no comment #}`,
    );
  });
});

describe("a prompt file", () => {
  it("may end in a line break, which is not part of the prompt; a second one is", async () => {
    const sample = sampleOf({ question: "Where?" });
    expect(renderPrompt(await promptOf("Q: {{ question }}"), sample, "d")).toBe("Q: Where?");
    expect(renderPrompt(await promptOf("Q: {{ question }}\n"), sample, "d")).toBe("Q: Where?");
    expect(renderPrompt(await promptOf("Q: {{ question }}\n\n"), sample, "d")).toBe("Q: Where?\n");
  });

  it("keeps its source, byte for byte", async () => {
    const source = "{# a comment #}\nQ: {{ question }}\n";
    expect(await promptOf(source)).toMatchObject({ path: join(folder.path, "prompt.jinja"), source });
  });

  it("with a syntax error is refused with the parser's words", async () => {
    const error = await failureOf(TemplateError, () => promptOf("{% if context %}{{ context }}"));
    expect(error.message).toContain("prompt.jinja is not a valid jinja template: found ");
    expect(error.message).toContain("prompts/qa.jinja is an example");
    expect(error.exitCode).toBe(1);
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.message).toContain((error.cause as Error).message);
  });

  it("that is missing is named", async () => {
    const error = await failureOf(FileError, () => loadPrompt(join(folder.path, "missing.jinja")));
    expect(error.message).toContain("missing.jinja: found no such file or folder. Check the path.");
  });

  it("that renders to nothing is refused, with the sample and the variables that it has", async () => {
    const prompt = await promptOf("{{ questoin }}\n  ");
    const error = await failureOf(SampleError, () =>
      renderPrompt(prompt, sampleOf({ question: "a", topic: "b" }), "d"),
    );
    expect(error).toMatchObject({ path: "d", sampleId: "s1", exitCode: 1 });
    expect(error.message).toContain("is empty for sample s1. Use variables that the sample has: question, topic.");
  });

  it("that fails on a sample is refused, with the sample and the reason", async () => {
    const prompt = await promptOf("{{ question.words.first() }}");
    const error = await failureOf(SampleError, () => renderPrompt(prompt, sampleOf({ question: "a" }), "d"));
    expect(error).toMatchObject({ path: "d", sampleId: "s1" });
    expect(error.message).toContain("cannot be rendered for sample s1: found ");
    expect(error.message).toContain("The sample has the variables question.");
  });
});
