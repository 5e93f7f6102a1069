import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "./api-error.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Whether a route needs no key: a page or a sign of life, nothing that costs or tells anything. */
    readonly open?: boolean;
  }
}

/** Who may use the server. */
export interface GuardOptions {
  readonly apiKey: string | undefined;
  /** Origins whose pages may use it, `*` for all; none by default. */
  readonly allowOrigins: readonly string[];
  /**
   * Whether requests must name this machine: without a key, a page from elsewhere could otherwise reach a server on loopback under a
   * name of its own (DNS rebinding).
   */
  readonly loopbackOnly: boolean;
}

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
/** A page that names no policy of its own may do nothing at all. */
const PAGE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Checks every request before its body is read, and puts security headers on every answer. */
export function guard(app: FastifyInstance, options: GuardOptions): void {
  app.addHook("onRequest", async (request, reply) => {
    if (request.headers.host === undefined) throw withoutHost();
    if (options.loopbackOnly) assertLoopbackName(request);
    if (allowOrigin(request, reply, options.allowOrigins)) return reply;
    if (options.apiKey !== undefined && request.routeOptions.config.open !== true) assertKey(request, options.apiKey);
    return undefined;
  });
  app.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "no-referrer");
    if (!isPage(reply)) return;
    reply.header("x-frame-options", "DENY");
    reply.header("cross-origin-opener-policy", "same-origin");
    if (!reply.hasHeader("content-security-policy")) reply.header("content-security-policy", PAGE_POLICY);
  });
}

function isPage(reply: FastifyReply): boolean {
  return String(reply.getHeader("content-type")).startsWith("text/html");
}

function withoutHost(): ApiError {
  return new ApiError({ status: 400, message: "The request has no Host header.", code: "missing_host" });
}

function assertLoopbackName({ host }: FastifyRequest): void {
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (LOOPBACK_NAMES.includes(name)) return;
  throw new ApiError({
    status: 403,
    message: "Without an API key this server only answers requests to localhost or 127.0.0.1.",
    type: "permission_error",
    code: "unknown_host",
  });
}

/** Compares hashes in constant time, so that neither content nor length of the key can be measured. */
function assertKey({ headers }: FastifyRequest, apiKey: string): void {
  const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
  const digest = (key: string): Buffer => createHash("sha256").update(key).digest();
  if (timingSafeEqual(digest(given.trim()), digest(apiKey))) return;
  throw new ApiError({
    status: 401,
    message: given === "" ? "An API key is needed: Authorization: Bearer KEY." : "The API key is wrong.",
    type: "authentication_error",
    code: "invalid_api_key",
  });
}

/** Allows pages of the origins named; answers a preflight itself and returns true then. */
function allowOrigin(request: FastifyRequest, reply: FastifyReply, origins: readonly string[]): boolean {
  const { origin } = request.headers;
  if (origin === undefined || origins.length === 0) return false;
  const all = origins.includes("*");
  if (!all && !origins.includes(origin)) return false;
  reply.header("access-control-allow-origin", all ? "*" : origin);
  if (!all) reply.header("vary", "origin");
  if (request.method !== "OPTIONS") return false;
  const asked = request.headers["access-control-request-headers"];
  reply
    .code(204)
    .header("access-control-allow-methods", "GET, POST, OPTIONS")
    .header("access-control-allow-headers", asked ?? "authorization, content-type")
    .header("access-control-max-age", "600")
    .send();
  return true;
}
