import type { FastifyInstance } from "fastify";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { readVotes, votesPath } from "../../../src/vote/vote-file.js";
import { votePairs, type VotePairs } from "../../../src/vote/vote-pairs.js";
import { loadRun } from "../../../src/run/load-run.js";
import { voteApp, type VoteAppParts } from "../../../src/vote/page/app.js";
import { Ballots } from "../../../src/vote/page/ballots.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeVoteRun } from "../vote-run.js";

const folder = temporaryFolder();
let pairs: VotePairs;
let app: FastifyInstance;

beforeAll(async () => {
  await writeVoteRun(folder.path, {
    answer: (boundary, sample, part) =>
      part === "selection" && boundary === 4 ? "Rome" : `${boundary < 5 ? "one" : "two"} ${sample}`,
  });
  pairs = votePairs(await loadRun(folder.path), ["chosen", "full"], "holdout");
});
afterEach(() => app.close());

function open(parts: Partial<VoteAppParts> = {}, path = votesPath(folder.path)): FastifyInstance {
  const criteria = ["fluency"];
  app = voteApp({
    ballots: new Ballots(pairs, { path, seed: 0, limit: undefined, criteria }),
    criteria,
    voter: undefined,
    apiKey: undefined,
    allowOrigins: [],
    loopbackOnly: true,
    onFailure: () => undefined,
    ...parts,
  });
  return app;
}

const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
  app.inject({ method: "POST", url, payload, headers });

describe("the server of a vote", () => {
  it("names no system, boundary, part or sample in anything it sends", async () => {
    open();
    const bodies = await Promise.all(["/", "/vote.js", "/vote.css"].map(async (url) => (await app.inject(url)).body));
    const start = await post("/api/start", { voter: "Ada" });
    bodies.push(start.body);
    for (let at = 0; at < pairs.pairs.length; at++) {
      const item = await post("/api/item", { voter: "Ada", at });
      const { token } = item.json<{ token: string }>();
      const voted = await post("/api/vote", { voter: "Ada", at, token, verdicts: { overall: "a" } });
      bodies.push(item.body, voted.body, JSON.stringify({ ...item.headers, ...voted.headers }));
    }
    bodies.push((await post("/api/item", { voter: "Ada", at: 99 })).body);
    for (const body of bodies) expect(body).not.toMatch(/\b(chosen|full|base|holdout|selection|adapter|boundary)\b|K=/);
    expect((await readVotes(votesPath(folder.path))).rows).toHaveLength(pairs.pairs.length);
  });

  it("allows its page its own script and style alone, and lets nothing be kept", async () => {
    open();
    const page = await app.inject("/");
    expect(page.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
    });
    const policy = String(page.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
    expect(page.body).not.toMatch(/https?:\/\/|<script>|style=| on[a-z]+=/);
    expect((await post("/api/start", { voter: "Ada" })).headers["cache-control"]).toBe("no-store");
  });

  it("shows names and criteria as text", async () => {
    open({ voter: `"><script>alert(1)</script>`, criteria: ["level of detail"] });
    const { body } = await app.inject("/");
    expect(body).toContain("&quot;&gt;&lt;script&gt;alert(1)");
    expect(body).toContain(`data-question="level of detail"`);
    expect(body).not.toContain('id="name"');
  });

  it("answers requests to this machine alone, and JSON of its own page alone", async () => {
    open();
    const elsewhere = await app.inject({ url: "/", headers: { host: "attacker.example:8081" } });
    expect(elsewhere.statusCode).toBe(403);
    const form = await app.inject({
      method: "POST",
      url: "/api/start",
      payload: '{"voter":"Ada"}',
      headers: { "content-type": "text/plain" },
    });
    expect(form.statusCode).toBe(415);
    expect((await post("/api/start", { voter: "Ada" }, { origin: "http://x.example" })).headers).not.toHaveProperty(
      "access-control-allow-origin",
    );
  });

  it("wants the key where there is one, and tells the page to ask for it", async () => {
    open({ apiKey: "secret", loopbackOnly: false });
    const page = await app.inject({ url: "/", headers: { host: "vote.example" } });
    expect([page.statusCode, page.body.includes('id="key"'), page.body.includes("secret")]).toEqual([200, true, false]);
    expect((await post("/api/start", { voter: "Ada" })).statusCode).toBe(401);
    expect((await post("/api/start", { voter: "Ada" }, { authorization: "Bearer wrong" })).statusCode).toBe(401);
    expect((await post("/api/start", { voter: "Ada" }, { authorization: "Bearer secret" })).statusCode).toBe(200);
  });

  it.each([
    ["no name", "/api/start", { voter: "" }, 400],
    ["a control character", "/api/start", { voter: "a\u0000b" }, 400],
    ["no voter", "/api/start", {}, 400],
    ["a negative place", "/api/item", { voter: "Ada", at: -1 }, 400],
    ["a place that is a word", "/api/item", { voter: "Ada", at: "__proto__" }, 400],
    ["an unknown verdict", "/api/vote", { voter: "Ada", at: 0, token: "x", verdicts: { overall: "chosen" } }, 400],
    ["a token of another start", "/api/vote", { voter: "Ada", at: 0, token: "x", verdicts: { overall: "a" } }, 409],
    ["a body that is too large", "/api/vote", { voter: "Ada", at: 0, token: "x".repeat(20_000), verdicts: {} }, 413],
    ["an unknown address", "/api/other", {}, 404],
  ])("refuses %s", async (_, url, payload, status) => {
    open();
    const answer = await post(url, payload);
    expect(answer.statusCode).toBe(status);
    expect(answer.json<{ error: { message: string } }>().error.message).not.toBe("");
  });

  it("tells a voter that a vote was not kept, and whoever runs it why", async () => {
    const failures: unknown[] = [];
    open({ onFailure: (error) => failures.push(error) }, join(folder.path, "gone", "votes.jsonl"));
    const item = (await post("/api/item", { voter: "Ada", at: 0 })).json<{ token: string }>();
    const answer = await post("/api/vote", { voter: "Ada", at: 0, token: item.token, verdicts: { overall: "a" } });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain(folder.path);
    expect(String(failures[0])).toContain("cannot write");
  });
});
