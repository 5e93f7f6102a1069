import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, UsageError } from "../../src/errors.js";
import { readYaml } from "../../src/formats/yaml.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

async function write(text: string): Promise<string> {
  const path = join(folder.path, "config.yaml");
  await writeFile(path, text);
  return path;
}

describe("YAML", () => {
  it("is read with anchors, as people use them", async () => {
    const path = await write("a: &x [1, 2]\nb: *x\nc: {d: null, e: yes}\n");
    expect(await readYaml(path)).toEqual({ a: [1, 2], b: [1, 2], c: { d: null, e: "yes" } });
    expect(await readYaml(await write(""))).toBeNull();
  });

  it.each<[string, string, RegExp]>([
    ["an unresolved alias", "data: x\nmodel: *nope\n", /Unresolved alias.*nope/],
    [
      "aliases that multiply",
      `a: &a [${"x,".repeat(9)}]\n${Array.from("bcdefghij", (name, i) => `${name}: &${name} [${`*${"abcdefghi"[i] ?? ""},`.repeat(9)}]`).join("\n")}\n`,
      /alias count/,
    ],
    ["an alias of itself", "a: &a [*a]\n", /valid YAML/],
    ["a tag that nobody knows", "a: !!python/object:os.system x\n", /tag/],
    ["two values of one name", "a: 1\na: 2\n", /unique/],
    ["several documents", "a: 1\n---\nb: 2\n", /multiple documents/],
    ["tabs", "a:\n\t- b\n", /valid YAML/],
    ["ten thousand brackets", "[".repeat(10_000), /valid YAML/],
    ["a bad directive", "%YAML 9.9\n---\na\n", /valid YAML/],
    ["a quote without an end", 'a: "b\n', /valid YAML/],
    ["a control character in a key", "a\u0000b: 1\n  c: 2\n", /valid YAML/],
  ])("with %s is a usage error", async (_, text, message) => {
    const error = await failureOf(UsageError, async () => readYaml(await write(text)));
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect(error.exitCode).toBe(2);
  });

  it("has a size, checked before it is read", async () => {
    const error = await failureOf(FileError, async () => readYaml(await write(`a: ${"x".repeat(4 << 20)}`)));
    expect(error.message).toContain("too large to read whole: found 4,194,307 bytes, expected at most 4,194,304");
  });
});
