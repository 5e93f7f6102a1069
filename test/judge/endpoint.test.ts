import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { InterruptedError, UsageError } from "../../src/errors.js";
import { endpointJudge, judgeApiKey, type EndpointJudgeOptions } from "../../src/judge/endpoint.js";
import { JudgeError, type JudgeFailureKind } from "../../src/judge/judge-model.js";
import { failureOf } from "../support/failure.js";
import { completion, deadAddress, fakeEndpoint, json, saying, type Answering } from "./endpoint-server.js";

const KEY = "sk-very-secret-1234567890";
const QUICK = { timeoutMs: 2000, retry: { retries: 2, firstDelayMs: 5, longestWaitMs: 3000 } } as const;

const judgeAt = (baseUrl: string, options: Partial<EndpointJudgeOptions> = {}): ReturnType<typeof endpointJudge> =>
  endpointJudge({ baseUrl, model: "judge-1", apiKey: KEY, ...QUICK, ...options });

describe("an endpoint judge", () => {
  it("asks one user message at temperature 0 with a fixed seed, and says what it cost in tokens", async () => {
    const endpoint = await fakeEndpoint(saying("8"));
    const judge = judgeAt(`${endpoint.baseUrl}/`, { maxTokens: 20, seed: 7 });
    expect(await judge.ask("How good? 漢字")).toEqual({
      text: "8",
      cut: false,
      usage: { promptTokens: 11, completionTokens: 2 },
    });
    expect(endpoint.requests).toHaveLength(1);
    expect(endpoint.requests[0]).toMatchObject({
      path: "/v1/chat/completions",
      authorization: `Bearer ${KEY}`,
      body: {
        model: "judge-1",
        max_tokens: 20,
        temperature: 0,
        seed: 7,
        messages: [{ role: "user", content: "How good? 漢字" }],
      },
    });
    expect(judge.name).toBe("judge-1");
    expect(judge.identity).toEqual({
      kind: "endpoint",
      url: endpoint.baseUrl,
      model: "judge-1",
      temperature: 0,
      maxTokens: 20,
      seed: 7,
    });
  });

  it("sends no key, and nothing of OpenAI's environment, where none is given", async () => {
    const endpoint = await fakeEndpoint(saying("8"));
    const environment = {
      OPENAI_API_KEY: "sk-env",
      OPENAI_ADMIN_KEY: "sk-admin",
      OPENAI_ORG_ID: "org-1",
      OPENAI_PROJECT_ID: "proj-1",
    };
    Object.assign(process.env, environment);
    try {
      await endpointJudge({ baseUrl: endpoint.baseUrl, model: "m" }).ask("?");
    } finally {
      for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name);
    }
    expect(endpoint.requests[0]?.authorization).toBeUndefined();
    expect(JSON.stringify(endpoint.requests[0]?.headers)).not.toMatch(/sk-env|sk-admin|org-1|proj-1/);
  });

  it("takes an answer without usage, and one that the limit of tokens cut off before it began", async () => {
    const endpoint = await fakeEndpoint((response, _request, number) => {
      json(response, 200, { ...(completion("8") as object), usage: number === 0 ? null : undefined });
    });
    expect(await judgeAt(endpoint.baseUrl).ask("?")).toEqual({ text: "8", cut: false });
    const thinking = await fakeEndpoint((response) => {
      json(response, 200, completion(null, { finish_reason: "length", message: { role: "assistant", content: null } }));
    });
    expect(await judgeAt(thinking.baseUrl).ask("?")).toMatchObject({ text: "", cut: true });
  });

  it("goes on without a parameter that the endpoint does not take, and says so", async () => {
    const refuse = (response: Parameters<Answering>[0], param: string, code: string): void => {
      json(response, 400, {
        error: { message: `Unsupported: '${param}'`, type: "invalid_request_error", param, code },
      });
    };
    const endpoint = await fakeEndpoint((response, { body }) => {
      if ("max_tokens" in body) refuse(response, "max_tokens", "unsupported_parameter");
      else if ("temperature" in body) refuse(response, "temperature", "unsupported_value");
      else json(response, 200, completion("8"));
    });
    const judge = judgeAt(endpoint.baseUrl, { retry: { retries: 0 } });
    const before = { ...judge.identity };
    expect((await judge.ask("one")).text).toBe("8");
    expect((await judge.ask("two")).text).toBe("8");
    expect(endpoint.requests).toHaveLength(4);
    expect(endpoint.requests[3]?.body).toEqual({
      model: "judge-1",
      max_completion_tokens: 16,
      seed: 0,
      messages: expect.anything() as unknown,
    });
    expect(judge.notes).toEqual([expect.stringContaining("takes no temperature")]);
    expect(judge.identity).toEqual(before);
  });
});

describe("an endpoint that fails for a while", () => {
  it("is asked again when it says so after a rate limit", async () => {
    const endpoint = await fakeEndpoint((response, _request, number) => {
      if (number === 0) json(response, 429, { error: { message: "slow down" } }, { "retry-after": "1" });
      else json(response, 200, completion("8"));
    });
    expect((await judgeAt(endpoint.baseUrl).ask("?")).text).toBe("8");
    expect(endpoint.requests[1]!.at - endpoint.requests[0]!.at).toBeGreaterThanOrEqual(990);
  });

  it("has all other questions wait as well", async () => {
    const endpoint = await fakeEndpoint((response, _request, number) => {
      if (number === 0) json(response, 429, { error: { message: "slow down" } }, { "retry-after-ms": "300" });
      else json(response, 200, completion("8"));
    });
    const judge = judgeAt(endpoint.baseUrl);
    const first = judge.ask("one");
    while (endpoint.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([first, judge.ask("two")]);
    expect(endpoint.requests).toHaveLength(3);
    expect(endpoint.requests[1]!.at - endpoint.requests[0]!.at).toBeGreaterThanOrEqual(290);
  });

  it.each<[string, Answering]>([
    [
      "HTTP 500",
      (response) => {
        json(response, 500, { error: { message: "oops" } });
      },
    ],
    [
      "HTTP 503 in HTML",
      (response) => {
        response.writeHead(503, { "content-type": "text/html" }).end("<h1>busy</h1>");
      },
    ],
    [
      "a connection that breaks",
      (response) => {
        response.destroy();
      },
    ],
  ])("is asked again after %s", async (_what, failing) => {
    const endpoint = await fakeEndpoint((response, request, number) => {
      if (number < 2) failing(response, request, number);
      else json(response, 200, completion("8"));
    });
    expect((await judgeAt(endpoint.baseUrl).ask("?")).text).toBe("8");
    expect(endpoint.requests).toHaveLength(3);
  });
});

interface Failing {
  readonly what: string;
  readonly answer: Answering;
  readonly kind: JudgeFailureKind;
  readonly words: RegExp;
  readonly attempts: number;
  readonly isFinal?: boolean;
  readonly timeoutMs?: number;
}

const error =
  (status: number, fields: Record<string, unknown>, headers: Record<string, string> = {}): Answering =>
  (response) => {
    json(response, status, { error: fields }, headers);
  };

const failing: readonly Failing[] = [
  {
    what: "nothing in time",
    answer: () => undefined,
    kind: "timeout",
    words: /does not answer in time: found nothing complete after 0.1 s/,
    attempts: 3,
    timeoutMs: 100,
  },
  {
    what: "headers in time but not the rest",
    answer: (response) => {
      response.writeHead(200, { "content-type": "application/json" }).write('{"choices":');
    },
    kind: "timeout",
    words: /does not answer in time/,
    attempts: 3,
    timeoutMs: 100,
  },
  {
    what: "a rate limit forever",
    answer: error(429, { message: "slow down" }),
    kind: "rate-limit",
    words: /HTTP 429: found "slow down"/,
    attempts: 3,
  },
  {
    what: "a rate limit for an hour",
    answer: error(429, { message: "slow down" }, { "retry-after": "3600" }),
    kind: "rate-limit",
    words: /HTTP 429/,
    attempts: 1,
  },
  {
    what: "an account without credit",
    answer: error(429, { message: "You exceeded your current quota", code: "insufficient_quota" }),
    kind: "rejected",
    words: /no credit left/,
    attempts: 1,
    isFinal: true,
  },
  {
    what: "HTTP 500 forever",
    answer: error(500, { message: "oops" }),
    kind: "server-error",
    words: /HTTP 500: found "oops"/,
    attempts: 3,
  },
  {
    what: "a wrong key, and repeats it",
    answer: error(401, { message: `Incorrect API key provided: ${KEY}.` }),
    kind: "rejected",
    words: /HTTP 401: found "Incorrect API key provided: \*\*\*\.".*BOUNDARY_JUDGE_API_KEY/,
    attempts: 1,
    isFinal: true,
  },
  {
    what: "a model that is not there",
    answer: error(404, { message: "no such model" }),
    kind: "rejected",
    words: /HTTP 404.*model's name/,
    attempts: 1,
    isFinal: true,
  },
  {
    what: "a wrong request",
    answer: error(400, { message: "bad role" }),
    kind: "rejected",
    words: /HTTP 400: found "bad role"/,
    attempts: 1,
  },
  {
    what: "a question that is too long",
    answer: error(400, {
      message: "request (9000 tokens) exceeds the available context size",
      type: "exceed_context_size_error",
    }),
    kind: "too-long",
    words: /longer context/,
    attempts: 1,
  },
  {
    what: "a content filter's HTTP 400",
    answer: error(400, { message: "filtered", code: "content_filter" }),
    kind: "refused",
    words: /content filter/,
    attempts: 1,
  },
  {
    what: "a refusal",
    answer: (response) => {
      json(
        response,
        200,
        completion(null, { message: { role: "assistant", content: null, refusal: "I cannot help with that." } }),
      );
    },
    kind: "refused",
    words: /refuses a question: found "I cannot help with that\."/,
    attempts: 1,
  },
  {
    what: "a filtered answer",
    answer: (response) => {
      json(response, 200, completion("", { finish_reason: "content_filter" }));
    },
    kind: "refused",
    words: /content_filter/,
    attempts: 1,
  },
  {
    what: "JSON that breaks off",
    answer: (response) => {
      json(response, 200, '{"choices": [{"mess');
    },
    kind: "garbage",
    words: /something else than a chat completion/,
    attempts: 1,
  },
  {
    what: "a web page",
    answer: (response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Hi</title>");
    },
    kind: "garbage",
    words: /found "<!doctype html>/,
    attempts: 1,
  },
  {
    what: "no choices",
    answer: (response) => {
      json(response, 200, { choices: [] });
    },
    kind: "garbage",
    words: /found "\{\\"choices\\":\[\]\}"/,
    attempts: 1,
  },
  {
    what: "other JSON",
    answer: (response) => {
      json(response, 200, { ok: true });
    },
    kind: "garbage",
    words: /\/v1/,
    attempts: 1,
  },
  {
    what: "an empty body",
    answer: (response) => {
      json(response, 200, "");
    },
    kind: "garbage",
    words: /something else/,
    attempts: 1,
  },
  {
    what: "an answer without text",
    answer: (response) => {
      json(response, 200, completion(null));
    },
    kind: "garbage",
    words: /something else/,
    attempts: 1,
  },
];

describe("an endpoint that gives", () => {
  it.each(failing)("$what: $kind", async ({ answer, kind, words, attempts, isFinal = false, timeoutMs = 2000 }) => {
    const endpoint = await fakeEndpoint(answer);
    const error = await failureOf(JudgeError, () => judgeAt(endpoint.baseUrl, { timeoutMs }).ask("?"));
    expect(error).toMatchObject({ kind, isFinal, judge: "judge-1", exitCode: 1 });
    expect(error.message).toMatch(words);
    expect(endpoint.requests).toHaveLength(attempts);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(KEY);
  });

  it("nothing at all, because nobody listens: unreachable", async () => {
    const baseUrl = await deadAddress();
    const error = await failureOf(JudgeError, () => judgeAt(baseUrl).ask("?"));
    expect(error.kind).toBe("unreachable");
    expect(error.message).toMatch(/cannot be reached: found ".*ECONNREFUSED.*Check that it runs/);
    expect(inspect(error, { depth: 10 })).not.toContain(KEY);
  });
});

describe("a judge that is stopped", () => {
  it.each<[string, Answering]>([
    ["while it waits for an answer", () => undefined],
    [
      "while it waits for the rest of an answer",
      (response) => {
        response.writeHead(200, { "content-type": "application/json" }).write("{");
      },
    ],
    ["while it waits to ask again", error(429, { message: "slow down" }, { "retry-after": "2" })],
  ])("%s, stops at once", async (_what, answer) => {
    const endpoint = await fakeEndpoint(answer);
    const controller = new AbortController();
    const asking = judgeAt(endpoint.baseUrl).ask("?", controller.signal);
    setTimeout(() => {
      controller.abort();
    }, 100);
    const start = performance.now();
    await failureOf(InterruptedError, () => asking);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(endpoint.requests).toHaveLength(1);
    await failureOf(InterruptedError, () => judgeAt(endpoint.baseUrl).ask("?", controller.signal));
    expect(endpoint.requests).toHaveLength(1);
  });
});

describe("the address of a judge", () => {
  it.each([
    ["no address", "judge"],
    ["another protocol", "ftp://host/v1"],
    ["a key in it", `http://user:${KEY}@host/v1`],
    ["a query", `http://host/v1?key=${KEY}`],
  ])("is refused: %s", async (_what, baseUrl) => {
    const error = await failureOf(UsageError, () => endpointJudge({ baseUrl, model: "m" }));
    expect(error.message).toMatch(/address is wrong.*expected http or https.*BOUNDARY_JUDGE_API_KEY/);
    expect(error.message).not.toContain(KEY);
  });
});

describe("the key of a judge", () => {
  it.each([
    ["https://api.openai.com/v1", { OPENAI_API_KEY: "o" }, "o"],
    ["https://api.openai.com/v1", { OPENAI_API_KEY: "o", BOUNDARY_JUDGE_API_KEY: "b" }, "b"],
    ["https://api.openai.com/v1", { OPENAI_API_KEY: "o", BOUNDARY_JUDGE_API_KEY: "" }, "o"],
    ["https://api.openai.com/v1", { OPENAI_API_KEY: "" }, undefined],
    ["https://api.openai.com/v1", {}, undefined],
    ["https://other.example/v1", { OPENAI_API_KEY: "o" }, undefined],
    ["https://other.example/v1", { OPENAI_API_KEY: "o", OPENAI_BASE_URL: "https://other.example/x" }, "o"],
    ["http://127.0.0.1:8080/v1", { OPENAI_API_KEY: "o" }, undefined],
    ["http://127.0.0.1:8080/v1", { BOUNDARY_JUDGE_API_KEY: "b" }, "b"],
    ["not an address", { OPENAI_API_KEY: "o" }, undefined],
  ])("for %s out of %j is %s", (baseUrl, env, key) => {
    expect(judgeApiKey(baseUrl, env)).toBe(key);
  });
});
