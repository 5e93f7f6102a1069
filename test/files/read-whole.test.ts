import { execFileSync } from "node:child_process";
import { appendFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPeftConfig } from "../../src/adapter/peft-config.js";
import { FileError } from "../../src/errors.js";
import { isMissing, readOptionalText, readWhole, readWholeText } from "../../src/files/read-whole.js";
import { Journal } from "../../src/run/journal.js";
import { loadPrompt } from "../../src/tasks/prompt.js";
import { loadSamples } from "../../src/samples/load.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);

describe("a file read whole", () => {
  it("is as large as it may be, and no larger", async () => {
    await writeFile(at("ten"), "0123456789");
    expect(await readWholeText(at("ten"), 10)).toBe("0123456789");
    const error = await failureOf(FileError, () => readWhole(at("ten"), 9));
    expect(error.message).toContain("ten is too large to read whole: found 10 bytes, expected at most 9");
  });

  it("that grows meanwhile is read up to where it was", async () => {
    await writeFile(at("log"), "x".repeat(1000));
    const stop = new AbortController();
    const growth = (async () => {
      while (!stop.signal.aborted) await appendFile(at("log"), "x".repeat(1000));
    })();
    const read = await readWhole(at("log"), 1e9);
    stop.abort();
    await growth;
    expect(read.length % 1000).toBe(0);
  });

  it("may be missing where that is asked for", async () => {
    expect(await readOptionalText(at("nothing"))).toBeUndefined();
    expect(isMissing(await failureOf(FileError, () => readWhole(at("nothing"), 1)))).toBe(true);
    await failureOf(FileError, () => readOptionalText(folder.path));
  });

  it.runIf(process.platform === "linux")("may be a pipe of the shell's", () => {
    const script = `import("${new URL("../../dist/files/read-whole.js", import.meta.url).href}").then(async (m) => {
      console.log(await m.readWholeText(process.argv[1], 100), (await m.readWhole(process.argv[2], 5).catch((e) => e)).message);
    });`;
    const text = execFileSync("bash", [
      "-c",
      `"$0" -e '${script}' <(printf piped) <(printf too-long)`,
      process.execPath,
    ]);
    expect(String(text)).toMatch(/^piped .* is too large to read whole: found 8 bytes, expected at most 5/);
  });
});

describe.runIf(process.platform === "linux")("what is not a plain file", () => {
  const readers: readonly [string, (path: string) => Promise<unknown>][] = [
    ["a prompt", loadPrompt],
    ["data", (path) => loadSamples(path, {})],
    ["a journal", (path) => Journal.open(path)],
    ["likelihoods and votes", (path) => readOptionalText(path)],
  ];

  it.each(readers)("is refused as %s", async (_, read) => {
    const stamp = String(readers.findIndex(([, one]) => one === read));
    await symlink("/dev/zero", at(`zero${stamp}.jsonl`));
    const zero = await failureOf(FileError, () => read(at(`zero${stamp}.jsonl`)));
    expect(zero.message).toContain("is not a plain file: found a device");
    execFileSync("bash", ["-c", 'mkfifo "$0"', at(`pipe${stamp}.jsonl`)]);
    const pipe = await failureOf(FileError, () => read(at(`pipe${stamp}.jsonl`)));
    expect(pipe.message).toContain("is not a plain file: found a pipe");
  });

  it("is refused as a configuration, a socket too", async () => {
    await symlink("/dev/zero", at("adapter_config.json"));
    expect((await failureOf(FileError, () => readPeftConfig(folder.path))).message).toContain("found a device");
    const server = createServer().listen(at("socket"));
    expect((await failureOf(FileError, () => readWhole(at("socket"), 1))).message).toContain("found a socket");
    server.close();
  });
});
