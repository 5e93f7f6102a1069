import { fileURLToPath } from "node:url";
import type { Template } from "@huggingface/jinja";
import { SampleError, TemplateError, messageOf } from "../errors.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import type { Sample } from "../samples/sample.js";
import { parseTemplate, renderTemplate } from "./render.js";

/** A prompt file, parsed. */
export interface PromptTemplate {
  readonly path: string;
  /** Jinja source, byte for byte as in the file. */
  readonly source: string;
  readonly template: Template;
}

/**
 * Reads and parses a jinja prompt file.
 * @throws FileError when it cannot be read, TemplateError when it is not valid jinja.
 */
export async function loadPrompt(path: string): Promise<PromptTemplate> {
  const source = await readWholeText(path, CONFIG_BYTES);
  try {
    return { path, source, template: parseTemplate(source) };
  } catch (cause) {
    throw new TemplateError({
      what: `${path} is not a valid jinja template`,
      actual: messageOf(cause),
      fix: "Fix the template; prompts/qa.jinja is an example.",
      cause,
    });
  }
}

/** Path of a prompt file that comes with the package. */
export function bundledPrompt(name: string): string {
  return fileURLToPath(new URL(`../../prompts/${name}`, import.meta.url));
}

/** What a template ends in behind its last variable; undefined where nothing stands there. */
export function markAtEnd({ source }: PromptTemplate): string | undefined {
  const end = source.slice(Math.max(source.lastIndexOf("}}"), source.lastIndexOf("%}")) + 2).replace(/\n$/, "");
  return source.includes("}}") && end.trim() !== "" ? end : undefined;
}

/**
 * The user message for a sample.
 * @throws SampleError when the template fails on it or gives an empty message.
 */
export function renderPrompt(prompt: PromptTemplate, sample: Sample, dataPath: string): string {
  let text: string;
  try {
    text = renderTemplate(prompt.template, sample.variables);
  } catch (cause) {
    throw new SampleError(
      { path: dataPath, sampleId: sample.id },
      {
        what: `the prompt ${prompt.path} cannot be rendered for sample ${sample.id}`,
        actual: messageOf(cause),
        fix: `The sample has the variables ${Object.keys(sample.variables).join(", ")}.`,
        cause,
      },
    );
  }
  if (text.trim() !== "") return text;
  throw new SampleError(
    { path: dataPath, sampleId: sample.id },
    {
      what: `the prompt ${prompt.path} is empty for sample ${sample.id}`,
      fix: `Use variables that the sample has: ${Object.keys(sample.variables).join(", ")}.`,
    },
  );
}
