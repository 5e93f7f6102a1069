import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { FileError } from "../../src/errors.js";
import { fetchHubAdapter, hubName, type HubName } from "../../src/files/hub.js";
import { callCli } from "../support/command.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const SHA = "0123456789abcdef0123456789abcdef01234567";
const plain = fileURLToPath(new URL("../oracle/fixtures/llama/plain", import.meta.url));
const adapter = Object.fromEntries(
  ["adapter_config.json", "adapter_model.safetensors"].map((name) => [name, readFileSync(join(plain, name))]),
);
const text = Buffer.from("text");
/** Repositories of the imitation, with their files. */
const repositories: Readonly<Record<string, Readonly<Record<string, Buffer>>>> = {
  "user/adapter": { ...adapter, "README.md": text, "optimizer.pt": text, "adapter_model.bin": text },
  "user/private": adapter,
  "user/training": Object.fromEntries(
    ["checkpoint-9", "checkpoint-10"].flatMap((folder) =>
      Object.entries(adapter).map(([name, data]) => [`${folder}/${name}`, data]),
    ),
  ),
  "user/quantised": { "lora-f16.gguf": text },
  "user/several": { "a.gguf": text, "b.gguf": text },
  "user/model": { "config.json": text, "model-00001-of-00002.safetensors": text },
  "user/empty": { "README.md": text },
};

/** What the hub's API answers: huggingface.co/docs/hub/api, and huggingface_hub for the headers. */
function imitation(asked: string[]): Server {
  return createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://hub");
    asked.push(`${request.method ?? ""} ${url.pathname}`);
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    };
    const repo = /^(?:\/api\/models)?\/(user\/\w+)\//.exec(url.pathname)?.[1] ?? "";
    const files = repositories[repo];
    if (!files) {
      json(404, { error: "Repository not found" });
      return;
    }
    if (repo === "user/private" && request.headers.authorization !== "Bearer hf_right") {
      json(401, { error: "Invalid username or password." });
      return;
    }
    const oid = (name: string): string => createHash("sha1").update(`${repo}/${name}`).digest("hex");
    const info = (name: string): object => ({
      type: "file",
      path: name,
      oid: oid(name),
      size: files[name]?.length ?? 0,
    });
    const rest = url.pathname.slice(url.pathname.indexOf(repo) + repo.length);
    if (rest.startsWith("/revision/")) {
      if (rest.endsWith("/main") || rest.endsWith(SHA))
        json(200, { _id: "1", id: repo, sha: SHA, lastModified: "2026-01-01T00:00:00Z" });
      else json(404, { error: "Invalid rev id" });
    } else if (rest.startsWith("/tree/")) json(200, Object.keys(files).map(info));
    else if (rest.startsWith("/paths-info/")) {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { paths } = JSON.parse(Buffer.concat(chunks).toString()) as { paths: string[] };
        json(200, paths.map(info));
      });
    } else {
      const data = files[rest.slice(`/resolve/${SHA}/`.length)];
      if (!data) {
        response.writeHead(404, { "X-Error-Code": "EntryNotFound" }).end();
        return;
      }
      const isProbe = request.headers.range === "bytes=0-0";
      response.writeHead(isProbe ? 206 : 200, {
        ETag: `"${oid(rest)}"`,
        ...(isProbe ? { "Content-Range": `bytes 0-0/${data.length}` } : { "Content-Length": data.length }),
      });
      response.end(isProbe ? data.subarray(0, 1) : data);
    }
  });
}

describe("adapters on the hub", () => {
  const scratch = temporaryFolder();
  const asked: string[] = [];
  const server = imitation(asked);
  let count = 0;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    asked.length = 0;
    vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("HF_HUB_CACHE", join(scratch.path, `cache-${count++}`));
    vi.stubEnv("HF_HOME", join(scratch.path, "home"));
    vi.stubEnv("HF_TOKEN", undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  const named = (name: string): HubName => {
    const found = hubName(name);
    if (!found) throw new RangeError(`${name} is no name on the hub`);
    return found;
  };
  const fetched = (name: string): Promise<string> => fetchHubAdapter(named(name));

  it("are named by repository, path and revision", () => {
    expect(hubName("hf:user/repo")).toEqual({ repo: "user/repo", path: "", revision: "main" });
    expect(hubName("hf:user/repo/sub/lora.gguf@v1.0")).toEqual({
      repo: "user/repo",
      path: "sub/lora.gguf",
      revision: "v1.0",
    });
    expect(hubName("huggingface:user/repo@abc")).toEqual({ repo: "user/repo", path: "", revision: "abc" });
    for (const other of ["user/repo", "hf:repo", "hf:user/repo:Q4_K_M", "https://huggingface.co/user/repo", "./hf"])
      expect(hubName(other)).toBeUndefined();
  });

  it("come into the cache that Python has, without what is not the adapter's, and only once", async () => {
    const folder = await fetched("hf:user/adapter");
    expect(folder).toBe(join(process.env["HF_HUB_CACHE"] ?? "", "models--user--adapter", "snapshots", SHA));
    for (const [name, data] of Object.entries(adapter))
      expect((await readFile(join(folder, name))).equals(data)).toBe(true);
    await expect(readFile(join(folder, "optimizer.pt"))).rejects.toThrow();
    await expect(readFile(join(folder, "adapter_model.bin"))).rejects.toThrow();
    const downloads = (): number => asked.filter((line) => line.includes("/resolve/")).length;
    const first = downloads();
    await fetched(`hf:user/adapter@${SHA}`);
    expect(downloads()).toBe(first);
  });

  it("are read by commands", async () => {
    const { code, stdout } = await callCli(["inspect", "hf:user/adapter"]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("28 modules in 4 layers")]);
    expect(stdout).not.toContain("Downloading");
  });

  it("may be a GGUF file, or lie in a subfolder", async () => {
    expect(await fetched("hf:user/quantised")).toContain("lora-f16.gguf");
    expect(await fetched("hf:user/several/b.gguf")).toContain("b.gguf");
    expect(await fetched("hf:user/training/checkpoint-10")).toContain("checkpoint-10");
  });

  it("are read with a token where they are private, and from the cache without the network", async () => {
    vi.stubEnv("HF_TOKEN", "hf_right");
    const folder = await fetched("hf:user/private");
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    expect(await fetched("hf:user/private")).toBe(folder);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await fetched("hf:user/private")).toBe(folder);
    const error = await failureOf(FileError, () => fetched("hf:user/adapter"));
    expect(error.message).toContain("HF_HUB_OFFLINE is set), and it is not in the cache");
  });

  it.each([
    ["hf:user/private", "set HF_TOKEN"],
    ["hf:user/nowhere", "no such repository or revision"],
    ["hf:user/adapter@v9", "no such repository or revision"],
    ["hf:user/training", "such as hf:user/training/checkpoint-10"],
    ["hf:user/several", "hf:user/several/a.gguf, hf:user/several/b.gguf"],
    ["hf:user/model", "weights of a whole model"],
    ["hf:user/empty", "holds no adapter"],
  ])("%s: %s", async (name, words) => {
    expect((await failureOf(FileError, () => fetched(name))).message).toContain(words);
  });
});
