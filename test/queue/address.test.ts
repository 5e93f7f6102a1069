import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { QueueError, UsageError } from "../../src/errors.js";
import { redact } from "../../src/files/redact.js";
import { connectRedis } from "../../src/queue/connection.js";
import { holdsPassword, RedisAddress } from "../../src/queue/redis-address.js";
import { runCli } from "../support/cli.js";
import { failureOf } from "../support/failure.js";

/** All that an error shows: its message, its causes and their own fields. */
function shownBy(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error).concat("name", "args", "command", "input"));
  return `${error.message} ${error.stack ?? ""} ${own} ${error.cause === undefined ? "" : shownBy(error.cause)}`;
}

describe("the address of a Redis server", () => {
  it.each([
    ["redis://host", { host: "host", port: 6379, password: undefined, isTls: false, shown: "redis://host:6379" }],
    ["rediss://:pw@host:1/2", { password: "pw", db: 2, isTls: true, shown: "rediss://***@host:1/2" }],
    ["redis://user:p%2Fw%40%25@host", { username: "user", password: "p/w@%" }],
    ["redis://:a b@host", { password: "a b", host: "host" }],
    ["redis://:a@b@host", { password: "a@b", host: "host" }],
    ["redis://[::1]:7?family=6&db=3", { host: "::1", port: 7, db: 3, family: 6, isLoopback: true }],
    ["redis://:S3+cret==@host", { password: "S3+cret==" }],
  ])("%s is taken apart", (text, parts) => {
    expect(RedisAddress.parse(text)).toMatchObject(parts);
  });

  it.each(["redis://localhost", "redis://127.9.0.1", "rediss://[::1]"])("%s is this machine", (text) => {
    expect(RedisAddress.parse(text).isLoopback).toBe(true);
  });

  it.each([
    "redis://:S3/cret@host",
    "redis://:S3/cret@host:6379/0",
    "redis://user:S3/cret@host",
    "redis://:12/S3cret@host",
    "redis://user:12/S3cret@host",
    "redis://:S3?cret@host",
    "redis://:S3#cret@host",
    "redis://:S3cret%@host",
    "redis://:S3%zzcret@host",
    "redis://:S3cret",
    "redis://S3cret@host",
    "redis://host?password=S3cret",
    "redis://host/S3cret",
    "redis://:S3\ncret@host",
    ":S3cret@host:6379",
    "user:S3cret@host",
    "S3cret",
    "S3cret://host",
    "redis:/:S3cret@host",
    "redis:S3cret@host",
    "unix://:S3cret@/tmp/redis.sock",
    "http://:S3cret@host",
    "",
  ])("%j is a usage error that shows nothing of it and says how to write it", async (text) => {
    const error = await failureOf(UsageError, () => RedisAddress.parse(text));
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain("/ is %2F");
    expect(shownBy(error)).not.toMatch(/S3|cret/);
  });

  it("is without its password wherever a server repeats that", async () => {
    // A server that is not Redis and says what it was sent.
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (bytes) => {
        const words = bytes
          .toString()
          .split("\r\n")
          .filter((word) => /^[^*$]/.test(word));
        socket.write(
          `-ERR unknown command, with args beginning with: ${words.map((word) => `'${word}'`).join(" ")}\r\n`.repeat(3),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const warnings: string[] = [];
    const parsed = RedisAddress.parse(`redis://me:S3%2Fcret@127.0.0.1:${address.port}`);
    const error = await failureOf(QueueError, () => connectRedis(parsed, (line) => warnings.push(line)));
    server.close();
    expect(shownBy(error)).not.toMatch(/S3|cret/);
    expect(error.message).toContain("redis://***@127.0.0.1");
    expect(parsed.scrub("AUTH S3/cret or S3%2Fcret")).toBe("AUTH *** or ***");
  });

  it("that cannot be read ends a command with exit code 2, and one in a flag is warned of and hidden", async () => {
    for (const args of [
      ["workers", "--redis", "redis://:S3/cret@host"],
      ["workers", "--redi=redis://:S3/cret@host"],
      ["sweep", ...["--model", "m", "--adapter", "a", "--data", "d", "--out", "o"], "--redis", "redis://:S3/cret@host"],
    ]) {
      const { code, stdout, stderr } = await runCli(args);
      expect(code, stderr).toBe(2);
      expect(stdout + stderr).not.toMatch(/S3|cret/);
    }
    const { code, stderr } = await runCli(["workers", "--redis", "redis://:S3cret@10.255.255.1"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /warning: the password in --redis was visible.*set BOUNDARY_REDIS instead\n.*BOUNDARY_QUEUE_KEY is not set/,
    );
    expect(stderr).not.toContain("S3cret");
  });

  it("holds a password, or not, as an argument", () => {
    expect(["redis://:a/b@host", "--redis=rediss://u:p@h"].map(holdsPassword)).toEqual([true, true]);
    expect(["redis://host:6379", "--redis", "a@b"].map(holdsPassword)).toEqual([false, false, false]);
  });
});

describe("credentials in any address", () => {
  it.each([
    ["redis://:S3/cret@host/0", "redis://***@host/0"],
    ["http://user:S3/cr@et@host/v1", "http://***@host/v1"],
    ["https://user:pass@host/x", "https://***@host/x"],
    ["https://token@host/x", "https://***@host/x"],
    ["https://host:8080/path@v1/model.gguf", "https://host:8080/path@v1/model.gguf"],
    ["https://host/path@v1/model.gguf", "https://host/path@v1/model.gguf"],
    ["hf:user/repo@main", "hf:user/repo@main"],
  ])("%s is shown as %s", (text, shown) => {
    expect(redact(`see ${text} there`)).toBe(`see ${shown} there`);
  });
});
