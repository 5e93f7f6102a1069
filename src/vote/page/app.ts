import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { z } from "zod";
import { verdictSchema, voterSchema } from "../vote-file.js";
import { ApiError, asApiError } from "../../server/api-error.js";
import { guard, type GuardOptions } from "../../server/guard.js";
import { parseBody } from "../../server/requests.js";
import type { Ballots } from "./ballots.js";
import { votePage, type VotePageParts } from "./page.js";
import { voteScript } from "./page-script.js";
import { voteStyle } from "./page-style.js";

/** What a vote's server is made of. */
export interface VoteAppParts extends GuardOptions, Pick<VotePageParts, "criteria" | "voter"> {
  readonly ballots: Ballots;
  /** Told of failures that are no client's, such as a full disk. */
  readonly onFailure: (error: unknown) => void;
}

/** Bytes of a request: a name and a few verdicts. */
const BODY_BYTES = 16 * 1024;
/** Milliseconds for a request to arrive. */
const REQUEST_MS = 10_000;
/** Connections at once; more are closed as they come. */
const MOST_CONNECTIONS = 256;
/** Own script and style alone, nothing from elsewhere, no embedding. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const place = z.number().int().min(0);
const startSchema = z.strictObject({ voter: voterSchema });
const itemSchema = z.strictObject({ voter: voterSchema, at: place });
const voteSchema = z.strictObject({
  voter: voterSchema,
  at: place,
  token: z.string(),
  verdicts: z.record(z.string(), verdictSchema),
});

/** The page and what it asks for. Every answer comes from {@link Ballots}, which names no system. It does not listen yet. */
export function voteApp(parts: VoteAppParts): FastifyInstance {
  const { ballots, criteria, voter, apiKey, onFailure } = parts;
  const app = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    http: { headersTimeout: REQUEST_MS },
    forceCloseConnections: true,
  });
  app.server.maxConnections = MOST_CONNECTIONS;
  // A page elsewhere may send plain text without asking first; JSON it may not.
  app.removeContentTypeParser("text/plain");
  guard(app, parts);
  app.addHook("onSend", async (_request, reply) => {
    reply.header("cache-control", "no-store");
  });
  app.setErrorHandler((error, _request, reply) => {
    const told = asApiError(error);
    if (told.status >= 500) onFailure(error);
    return reply.code(told.status).send(told.body);
  });
  app.setNotFoundHandler(() => {
    throw new ApiError({ status: 404, message: "There is nothing at this address.", code: "unknown_url" });
  });
  const page = votePage({ criteria, voter, asksKey: apiKey !== undefined });
  const open = { config: { open: true } };
  app.get("/", open, (_request, reply) => {
    reply.header("content-security-policy", PAGE_POLICY);
    return sent(reply, "text/html", page);
  });
  app.get("/vote.js", open, (_request, reply) => sent(reply, "text/javascript", voteScript));
  app.get("/vote.css", open, (_request, reply) => sent(reply, "text/css", voteStyle));
  app.post("/api/start", ({ body }) => ballots.start(parseBody(startSchema, body).voter));
  app.post("/api/item", ({ body }) => {
    const { voter: name, at } = parseBody(itemSchema, body);
    return ballots.item(name, at);
  });
  app.post("/api/vote", ({ body }) => {
    const { voter: name, verdicts, ...item } = parseBody(voteSchema, body);
    return ballots.vote(name, item, verdicts);
  });
  return app;
}

function sent(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply.header("content-type", `${type}; charset=utf-8`).send(text);
}
