import { Agent, get } from "node:http";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { question, rawRequest, startServer, tinyServer, type Ask } from "./running-server.js";

const tiny = tinyServer();

async function errorOf(
  response: Response,
): Promise<{ status: number; type: string; param: string | null; code: string | null }> {
  const { error } = (await response.json()) as {
    error: { message: string; type: string; param: string | null; code: string | null };
  };
  expect(error.message).not.toBe("");
  return { status: response.status, type: error.type, param: error.param, code: error.code };
}

describe("a request that is wrong", () => {
  const chat = (body: object): Promise<Response> =>
    tiny.post("/v1/chat/completions", JSON.stringify({ ...question("hi"), ...body }));

  it.each([
    ["an unknown model", { model: "gpt" }, 404, "model", "model_not_found"],
    ["a boundary beyond the layers", { boundary: 5 }, 400, "boundary", "invalid_value"],
    ["a boundary of the base", { model: "base", boundary: 1 }, 400, "boundary", "invalid_value"],
    ["no messages", { messages: undefined }, 400, "messages", "invalid_value"],
    [
      "a picture",
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      400,
      "messages[0].content[0].type",
      "invalid_value",
    ],
    ["two answers", { n: 2 }, 400, "n", "invalid_value"],
    ["tools", { tools: [{ type: "function" }] }, 400, "tools", "invalid_value"],
    ["a token that is none", { logit_bias: { 99999: 1 } }, 400, "logit_bias", "invalid_value"],
    ["a stop string beyond the limit", { stop: ["x".repeat(1001)] }, 400, "stop[0]", "invalid_value"],
    [
      "messages beyond the limit",
      { messages: Array.from({ length: 2049 }, () => 1) },
      400,
      "messages",
      "invalid_value",
    ],
    [
      "a schema that refers to itself",
      {
        response_format: {
          type: "json_schema",
          json_schema: { schema: { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } } },
        },
      },
      400,
      "response_format.json_schema.schema",
      "unsupported_schema",
    ],
    [
      "a schema that no grammar keeps",
      { response_format: { type: "json_schema", json_schema: { schema: { type: "string", pattern: "a" } } } },
      400,
      "response_format.json_schema.schema",
      "unsupported_schema",
    ],
    [
      "a prompt beyond the context",
      { messages: [{ role: "user", content: "x".repeat(600) }] },
      400,
      null,
      "context_length_exceeded",
    ],
  ])("says so: %s", async (_name, body, status, param, code) => {
    expect(await errorOf(await chat(body))).toEqual({ status, type: "invalid_request_error", param, code });
  });

  it("is refused before its body counts: malformed, too large, of another type, without a sense", async () => {
    expect(await errorOf(await tiny.post("/v1/chat/completions", "{"))).toMatchObject({
      status: 400,
      code: "invalid_json_body",
    });
    expect(
      await errorOf(await tiny.post("/v1/chat/completions", JSON.stringify({ x: "x".repeat(200_000) }))),
    ).toMatchObject({ status: 413, code: "body_too_large" });
    expect(
      await errorOf(await tiny.post("/v1/chat/completions", "{}", { "content-type": "text/plain" })),
    ).toMatchObject({
      status: 415,
    });
    expect(await errorOf(await fetch(`${tiny.main.url}/v1/nothing`))).toMatchObject({
      status: 404,
      code: "unknown_url",
    });
  });

  it("is refused with token ids beyond the vocabulary", async () => {
    const { vocabulary } = tiny.engine.info;
    const status = async (prompt: unknown): Promise<number> =>
      (await tiny.post("/v1/completions", JSON.stringify({ model: "base", prompt, max_tokens: 1 }))).status;
    expect(await status([0, vocabulary - 1])).toBe(200);
    for (const wrong of [vocabulary, 2 ** 31, 2 ** 32, 2 ** 53, -1, 0.5]) expect(await status([0, wrong])).toBe(400);
  });

  it("is answered in the same shape where it is not even sound HTTP", async () => {
    const host = "Host: localhost\r\nConnection: close\r\n";
    const of = async (line: string, head = host): Promise<{ status: number; code: unknown; text: string }> => {
      const text = await rawRequest(tiny.main.url, `${line} HTTP/1.1\r\n${head}\r\n`);
      const { error } = JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as { error: Record<string, unknown> };
      expect(error).toEqual({
        message: expect.any(String) as string,
        type: "invalid_request_error",
        param: null,
        code: error["code"],
      });
      return { status: Number(text.split(" ")[1]), code: error["code"], text };
    };
    for (const path of ["/%ff", "/%", "/v1/models/%zz", "/%c0%80"]) {
      expect(await of(`GET ${path}`)).toMatchObject({ status: 400, code: "bad_url" });
    }
    expect(await of("PUT /v1/chat/completions")).toMatchObject({ status: 405, code: "method_not_allowed" });
    expect((await of("DELETE /v1/models/base?x=1")).text).toMatch(/^allow: GET\r$/im);
    expect(await of("PUT /nothing")).toMatchObject({ status: 404, code: "unknown_url" });
    expect(await of("FOO /")).toMatchObject({ status: 400 });
    expect(await of("GET /health", "Connection: close\r\n")).toMatchObject({ status: 400, code: "missing_host" });
    expect(await of("POST /v1/completions", `${host}Expect: moon\r\nContent-Length: 0\r\n`)).toMatchObject({
      status: 417,
    });
    expect(await of("GET /health", `${host}X-A: ${"x".repeat(40_000)}\r\n`)).toMatchObject({ status: 431 });
  });

  it("comes to the official client as its own errors", async () => {
    await expect(tiny.main.client.chat.completions.create({ ...question("hi"), model: "gpt" })).rejects.toThrow(
      OpenAI.NotFoundError,
    );
    await expect(tiny.main.client.chat.completions.create({ ...question("hi"), n: 3 })).rejects.toThrow(
      OpenAI.BadRequestError,
    );
  });

  it("never learns a path of this machine", async () => {
    const answers = [
      await (await fetch(`${tiny.main.url}/v1/boundary/info`)).text(),
      await (await fetch(`${tiny.main.url}/metrics`)).text(),
      await (await fetch(`${tiny.main.url}/openapi.json`)).text(),
      await (await chat({ model: tiny.folder })).text().then((text) => text.replaceAll(tiny.folder, "")),
      await (await chat({ messages: [{ role: "user", content: "x".repeat(600) }] })).text(),
    ];
    for (const text of answers) {
      expect(text).not.toBe("");
      expect(text).not.toContain(tiny.folder);
      expect(text).not.toContain("gguf");
    }
  });
});

describe("who may use the server", () => {
  it("needs the right key where there is one", async () => {
    await tiny.withServer({ apiKey: "secret-key" }, async ({ url, client }) => {
      expect((await client.models.list()).data).toHaveLength(2);
      for (const apiKey of ["wrong", "secret-ke", "secret-key2"]) {
        const other = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
        await expect(other.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
      }
      const bare = await fetch(`${url}/v1/models`);
      expect(await errorOf(bare)).toEqual({
        status: 401,
        type: "authentication_error",
        param: null,
        code: "invalid_api_key",
      });
      expect((await fetch(`${url}/metrics`)).status).toBe(401);
      expect((await fetch(`${url}/health`)).status).toBe(200);
      // The key is asked for before a body is read.
      const large = await fetch(`${url}/v1/completions`, {
        method: "POST",
        body: "x".repeat(200_000),
        headers: { "content-type": "application/json" },
      });
      expect(large.status).toBe(401);
    });
  });

  it("must call it by this machine's name where there is none", async () => {
    const status = async (host: string): Promise<string> => {
      const answer = await rawRequest(
        tiny.main.url,
        `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      return answer.split(" ")[1] ?? "";
    };
    expect(await status("localhost:1234")).toBe("200");
    expect(await status("evil.example")).toBe("403");
  });

  it("may be a page of an origin that was allowed, and no other", async () => {
    const preflight = {
      method: "OPTIONS",
      headers: { origin: "http://a.example", "access-control-request-headers": "x-stainless-os" },
    };
    await tiny.withServer({ allowOrigins: ["http://a.example"] }, async ({ url }) => {
      const allowed = await fetch(`${url}/v1/chat/completions`, preflight);
      expect(allowed.status).toBe(204);
      expect(allowed.headers.get("access-control-allow-origin")).toBe("http://a.example");
      expect(allowed.headers.get("access-control-allow-headers")).toBe("x-stainless-os");
      const other = await fetch(`${url}/v1/models`, { headers: { origin: "http://b.example" } });
      expect(other.headers.get("access-control-allow-origin")).toBeNull();
    });
    const closed = await fetch(`${tiny.main.url}/v1/models`, { headers: { origin: "http://a.example" } });
    expect(closed.headers.get("access-control-allow-origin")).toBeNull();
    expect(closed.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("under load", () => {
  const long = (content: string): Ask => ({ ...question(content), max_completion_tokens: 400, model: "base" });

  it("refuses what finds the queue full, and says when to come again", async () => {
    await tiny.withServer({ limits: { parallel: 1, queue: 1, maxTokens: 450 } }, async ({ url, client }) => {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, () => client.chat.completions.create(long("hi"))),
      );
      const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
      expect(refused.length).toBeGreaterThanOrEqual(5);
      for (const error of refused) {
        if (!(error instanceof OpenAI.RateLimitError)) throw error;
        expect(error.code).toBe("queue_full");
        expect(Number(error.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      }
      // Its own retries bring the official client through.
      const patient = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 5 });
      expect((await patient.chat.completions.create(question("hi"))).choices).toHaveLength(1);
    });
  });

  it("stops working for clients that go away", async () => {
    await tiny.withServer({ limits: { maxTokens: 450 } }, async ({ url, client }) => {
      const controllers = Array.from({ length: 6 }, () => new AbortController());
      const gone = controllers.map(async ({ signal }, i) => {
        const body = long(`hi ${i}`);
        if (i % 2 === 0) return client.chat.completions.create(body, { signal });
        const stream = await client.chat.completions.create({ ...body, stream: true }, { signal });
        for await (const chunk of stream) expect(chunk.object).toBe("chat.completion.chunk");
        return undefined;
      });
      await expect.poll(async () => (await tiny.engine.status()).running, { interval: 5 }).toBe(4);
      controllers.forEach((controller) => {
        controller.abort();
      });
      await Promise.allSettled(gone);
      await expect.poll(async () => tiny.engine.status(), { timeout: 2000 }).toMatchObject({ running: 0, waiting: 0 });
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(/boundary_requests_total\{mask="base",outcome="cancelled"\} [1-9]/);
      expect((await client.chat.completions.create(question("hi"))).choices).toHaveLength(1);
    });
  });

  it("answers /health while it generates, and counts what it does", async () => {
    const busy = Promise.all(Array.from({ length: 8 }, (_, i) => tiny.textOf(long(`hi ${i}`))));
    expect(await (await fetch(`${tiny.main.url}/health`)).json()).toEqual({ status: "ok" });
    await busy;
    const metrics = await (await fetch(`${tiny.main.url}/metrics`)).text();
    for (const name of ["generated_tokens_total", "time_to_first_token_seconds_count", "tokens_per_second_bucket"]) {
      expect(metrics).toMatch(new RegExp(`boundary_${name}\\{.*mask="base".*\\} [1-9]`));
    }
    expect(metrics).toMatch(/boundary_engine_resident_bytes [1-9]\d{6}/);
    expect(metrics).toMatch(/boundary_queue_length 0/);
  });

  it("lets no slow client hold a connection", async () => {
    await tiny.withServer({ receiving: { bodyBytes: 1000, headersMs: 200, requestMs: 400 } }, async ({ url }) => {
      expect(await rawRequest(url, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-A: ")).toMatch(
        /^HTTP\/1.1 408 [^]*"error"/,
      );
      const head =
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
      expect(await rawRequest(url, head)).toMatch(/^HTTP\/1.1 408 /);
      expect(await rawRequest(url, "no HTTP at all\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [^]*"error"/);
      expect(await rawRequest(url, `GET / HTTP/1.1\r\nX-A: ${"x".repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    });
  });

  it("lets the answers under way finish when it drains, and takes no new ones", async () => {
    const { client, server, url } = await startServer(tiny.main, { limits: { maxTokens: 300 } });
    const stream = await client.chat.completions.create({ ...long("hi"), max_completion_tokens: 300, stream: true });
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const drained = server.drain(30_000);
    await expect(client.chat.completions.create(question("hi"))).rejects.toThrow(OpenAI.APIError);
    let reason: string | null | undefined;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      reason = next.value.choices[0]?.finish_reason ?? reason;
    }
    expect(reason).toBe("length");
    await drained;
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it("goes on for others while a request would cost it dearly", async () => {
    const a = { $ref: "#/$defs/a" };
    const list = (minItems: number): object => ({ type: "array", items: a, minItems });
    const anyOf = [{ type: "array", prefixItems: [a], minItems: 1 }, list(1), list(2), { type: "null" }];
    const schema = { ...a, $defs: { a: { anyOf } } };
    const bomb = { ...question("x"), response_format: { type: "json_schema", json_schema: { name: "x", schema } } };
    const special = { model: "base", prompt: "<|im_start|>".repeat(50_000), max_tokens: 4 };
    await tiny.withServer(
      { receiving: { bodyBytes: 1e6, headersMs: 1e4, requestMs: 1e4 } },
      async ({ url, client }) => {
        const send = (path: string, body: object): Promise<Response> =>
          fetch(`${url}${path}`, {
            method: "POST",
            body: JSON.stringify(body),
            headers: { "content-type": "application/json" },
            signal: AbortSignal.timeout(20_000),
          });
        const hostile = [send("/v1/chat/completions", bomb), send("/v1/completions", special)];
        expect((await client.chat.completions.create(question("hi"))).choices).toHaveLength(1);
        const [first, second] = await Promise.all(hostile);
        expect(first?.status).toBe(200);
        expect(second?.status).toBe(400);
      },
    );
  });

  it("says that it drains to those who are still connected, and ends what it cuts with an error", async () => {
    const { server, url, client } = await startServer(tiny.main, { limits: { parallel: 1, maxTokens: 450 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const health = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get(`${url}/health`, { agent }, (answer) => {
          answer.resume().once("end", () => {
            resolve(answer.statusCode);
          });
        }).once("error", reject);
      });
    expect(await health()).toBe(200);
    const body = JSON.stringify({ ...long("hi"), stream: true, max_completion_tokens: 450 });
    const stream = (): Promise<Response> =>
      fetch(`${url}/v1/chat/completions`, { method: "POST", body, headers: { "content-type": "application/json" } });
    // One is answered at a time, so that the last ones cannot have their turn before the drain is over.
    const before = Array.from({ length: 6 }, stream);
    const refused = expect(client.chat.completions.create(question("hi"))).rejects.toMatchObject({
      status: 503,
      code: "draining",
    });
    // A stream's head comes when it has its place in line.
    const streams = await Promise.all([...before, ...Array.from({ length: 6 }, stream)]);
    const drained = server.drain(100);
    expect(await health()).toBe(503);
    expect(await health()).toBe(503);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    const ends = await Promise.all(streams.map(async (answer) => (await answer.text()).split("\n\n").slice(-3)));
    for (const [last, done] of ends) {
      // Sampled without a seed: an answer may also end by itself.
      expect(last).toMatch(
        /"finish_reason":"(?:length|stop)"|^data: \{"error":\{"message":".+","type":"server_error",.*"draining"/,
      );
      expect(done).toBe("data: [DONE]");
    }
    expect(ends.at(-1)?.[0]).toContain('"code":"draining"');
    await refused;
    await drained;
    agent.destroy();
  });
});
