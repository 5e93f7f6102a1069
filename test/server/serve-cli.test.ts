import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { finished, killGroup, runCli, startCli, type CliResult } from "../support/cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";
import { START_TIMEOUT } from "./running-server.js";

const folder = temporaryFolder();
let model: string;
let adapter: string;

beforeAll(async () => {
  model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama" });
  adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
});

const flags = (...more: string[]): string[] => [
  "--model",
  model,
  "--adapter",
  adapter,
  "--gpu",
  "off",
  "--threads",
  "1",
  ...more,
];

describe("boundary serve", () => {
  let child: ChildProcess | undefined;
  afterEach(() => {
    if (child) killGroup(child);
  });

  /** Starts a server on a free port and waits until it says where. */
  async function start(...more: string[]): Promise<{ url: string; ended: Promise<CliResult> }> {
    const started = startCli(["serve", ...flags("--port", "0", ...more)], { BOUNDARY_API_KEY: "" });
    child = started;
    const ended = finished(started);
    let said = "";
    while (!said.includes("\n")) {
      const next = await Promise.race([once(started.stdout ?? started, "data"), ended]);
      if (!Array.isArray(next)) throw new Error(next.stderr);
      said += String(next[0]);
    }
    return { url: said.slice(0, said.indexOf("/v1")), ended };
  }

  it(
    "lets an answer under way finish on SIGTERM, then exits with 0, and logs nothing of it",
    async () => {
      const { url, ended } = await start("--log-level", "info");
      const body = { model: "base", messages: [{ role: "user", content: "a secret" }], max_tokens: 200, stream: true };
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
      child?.kill("SIGTERM");
      const text = await answer.text();
      expect(text).toContain('"finish_reason":"length"');
      expect(text).toContain("data: [DONE]");
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      expect(stderr).not.toContain("secret");
      for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
      await expect(fetch(`${url}/health`)).rejects.toThrow();
    },
    START_TIMEOUT,
  );

  it(
    "ends with 1 when its engine is killed, and tells the client",
    async () => {
      const { url, ended } = await start("--log-level", "silent");
      const engine = await enginePid(child?.pid);
      const answer = fetch(`${url}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ model: "full", prompt: "a", max_tokens: 450 }),
        headers: { "content-type": "application/json" },
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.kill(engine, "SIGKILL");
      expect(await (await answer).json()).toMatchObject({ error: { type: "server_error", code: "engine_error" } });
      const { code, stderr } = await ended;
      expect(code).toBe(1);
      expect(stderr).toContain("the engine's process ended while serving");
    },
    START_TIMEOUT,
  );

  it(
    "says before it listens what is wrong",
    async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      const { port } = taken.address() as AddressInfo;
      const [inUse, missing, open, nothing, memory] = await Promise.all([
        runCli(["serve", ...flags("--port", String(port))]),
        runCli(["serve", "--model", join(folder.path, "none.gguf"), "--adapter", adapter]),
        runCli(["serve", ...flags("--host", "0.0.0.0")], { BOUNDARY_API_KEY: "" }),
        runCli(["serve"]),
        runCli(["serve", ...flags("--contexts", "64", "--context-size", "100000000")]),
      ]);
      taken.close();
      expect(inUse).toMatchObject({ code: 2, stdout: "" });
      expect(inUse.stderr).toContain("another process listens there");
      expect(missing).toMatchObject({ code: 1, stdout: "" });
      expect(missing.stderr).toContain("no such file");
      expect(open.code).toBe(2);
      expect(open.stderr).toContain("BOUNDARY_API_KEY");
      expect(nothing.code).toBe(2);
      expect(nothing.stderr).toContain("boundary serve runs/first");
      expect(memory.code).toBe(1);
      expect(memory.stderr).toContain("not enough memory");
      for (const { stderr } of [inUse, missing, open, nothing, memory]) expect(stderr).not.toContain("    at ");
    },
    START_TIMEOUT,
  );
});

describe("boundary generate", () => {
  it(
    "answers at any boundary, the same for the same K, from an argument or from standard input",
    async () => {
      const answer = (...more: string[]): Promise<CliResult> =>
        runCli(["generate", ...flags("--max-tokens", "8", ...more)]);
      const piped = startCli(["generate", ...flags("--max-tokens", "8", "--json"), "-"]);
      piped.stdin?.end("hi");
      const [full, base, json] = await Promise.all([answer("hi"), answer("--boundary", "0", "hi"), finished(piped)]);
      expect(full.code).toBe(0);
      const whole = JSON.parse(json.stdout) as { text: string; boundary: number; tokens: number[] };
      expect(full.stdout).toBe(`${whole.text}\n`);
      expect(whole).toMatchObject({ boundary: 4, stopReason: "length" });
      expect(whole.tokens).toHaveLength(8);
      expect(base.stdout).not.toBe(full.stdout);
      expect((await answer("--boundary", "5", "hi")).code).toBe(2);
    },
    START_TIMEOUT,
  );
});

/** The process of the engine: the only child of the server's. */
async function enginePid(server: number | undefined): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const children = await readFile(`/proc/${server ?? 0}/task/${server ?? 0}/children`, "utf8");
  return Number(children.trim().split(" ")[0]);
}
