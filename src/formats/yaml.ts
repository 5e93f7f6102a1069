import { parseDocument } from "yaml";
import { messageOf, UsageError } from "../errors.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import { FOREIGN_SECONDS, withTimeLimit } from "./time-limit.js";

/** Aliases that a document may resolve: each can multiply what is behind it, so that ten lines would fill the memory. */
const MOST_ALIASES = 100;

/**
 * Reads a YAML file. What the parser only warns about, such as a tag that it does not know, is an error too: the value would not be what
 * the writer meant.
 * @throws FileError when it cannot be read; UsageError for everything that is wrong in it, one that takes longer than
 * {@link FOREIGN_SECONDS} included.
 */
export async function readYaml(path: string): Promise<unknown> {
  const text = await readWholeText(path, CONFIG_BYTES);
  try {
    return withTimeLimit((): unknown => {
      const document = parseDocument(text, { logLevel: "error" });
      const [problem] = [...document.errors, ...document.warnings];
      if (problem) throw problem;
      const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
      // A value that contains itself has no JSON: readers would not come to its end.
      JSON.stringify(value);
      return value;
    }, FOREIGN_SECONDS);
  } catch (cause) {
    const [first = ""] = messageOf(cause).split("\n");
    throw new UsageError({ what: `${path} is not valid YAML`, actual: first.replace(/:$/, ""), cause });
  }
}
