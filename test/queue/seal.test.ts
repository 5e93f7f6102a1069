import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { RedisAddress } from "../../src/queue/redis-address.js";
import { Seal, SealError, sealFor, unverified, type Purpose } from "../../src/queue/seal.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const [key, other] = [Seal.of("a key of sixteen or more"), Seal.of("a key of sixteen or mors")];
const value = { rows: [1, "ä\u2028"], deep: { a: null } };

describe("a message", () => {
  it("is read by whoever has its key, for the purpose that it was written for only", async () => {
    const purposes: Purpose[] = [
      ["job", "q", "1"],
      ["job", "q", "2"],
      ["job", "r", "1"],
      ["job", "q1", ""],
      ["entry", "q"],
      ["worker", "1"],
      ["coordinator", "q"],
      ["handed-out", "q", "1"],
    ];
    for (const written of purposes) {
      const text = key.close(written, value);
      for (const purpose of purposes) {
        if (purpose === written) expect(key.open(purpose, text)).toEqual(value);
        else await failureOf(SealError, () => key.open(purpose, text));
      }
    }
  });

  it("is refused with another key, without one, changed, or as anything else", async () => {
    const purpose: Purpose = ["entry", "run"];
    const text = key.close(purpose, value);
    const plain = Seal.none.close(purpose, value);
    expect(Seal.none.open(purpose, plain)).toEqual(value);
    expect(unverified(text)).toEqual(value);
    const messages = [
      ...[text.replace('"ä', '"a'), `${text} `, other.close(purpose, value)].map(
        (wrong) => [key, wrong, "not signed for this place"] as const,
      ),
      [key, plain, "it is not signed, and BOUNDARY_QUEUE_KEY is set here"] as const,
      [Seal.none, text, "it is signed, and BOUNDARY_QUEUE_KEY is not set here"] as const,
      ...[undefined, 7, {}, "", "{}", text.slice(10)].map(
        (wrong) => [key, wrong, "not a message of this release"] as const,
      ),
    ];
    for (const [seal, wrong, words] of messages) {
      expect((await failureOf(SealError, () => seal.open(purpose, wrong))).message).toContain(words);
    }
    expect(new Set([key.name, other.name, Seal.none.name]).size).toBe(3);
  });
});

describe("the key of a queue", () => {
  const [here, there] = ["redis://127.0.0.1", "redis://:pw@10.9.9.9"].map((url) => RedisAddress.parse(url));
  if (!here || !there) throw new Error("no addresses");

  it("comes from the environment or a file, and is asked for where Redis is on another machine", async () => {
    const warnings: string[] = [];
    const warn = (line: string): void => void warnings.push(line);
    expect(sealFor(there, { BOUNDARY_QUEUE_KEY: " a key of sixteen or more\n" }, warn).name).toBe(key.name);
    const path = join(folder.path, "key");
    await writeFile(path, "a key of sixteen or more\n");
    expect(sealFor(there, { BOUNDARY_QUEUE_KEY_FILE: path }, warn).name).toBe(key.name);
    expect(warnings).toEqual([]);
    expect(sealFor(here, {}, warn).isKeyed).toBe(false);
    expect(warnings.join()).toContain("BOUNDARY_QUEUE_KEY is not set: whoever can write to Redis");
    const error = await failureOf(UsageError, () => sealFor(there, {}, warn));
    expect(error.message).toMatch(/BOUNDARY_QUEUE_KEY is not set.*openssl rand -base64 32/);
    const short = await failureOf(UsageError, () => sealFor(here, { BOUNDARY_QUEUE_KEY: "short-key" }, warn));
    expect(short.message).toContain("9 characters");
    expect(short.message).not.toContain("short-key");
  });
});
