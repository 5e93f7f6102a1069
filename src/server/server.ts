import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import type { ServingEngine } from "../engine/serving/serving.js";
import { version } from "../version.js";
import { answerRoutes } from "./answer-routes.js";
import { Answers, type ServerLimits } from "./answers.js";
import { ApiError, asApiError, shuttingDown } from "./api-error.js";
import { requestFormatter } from "./conversation.js";
import { guard, type GuardOptions } from "./guard.js";
import { infoRoutes } from "./info-routes.js";
import type { ServedModel } from "./served-model.js";
import { playgroundRoutes } from "./playground.js";

/** How long a client may take to send its request. A slow one must not hold a connection for ever. */
export interface ReceivingLimits {
  /** Bytes of a body. */
  readonly bodyBytes: number;
  /** Milliseconds until the headers are there, and until the whole request is. */
  readonly headersMs: number;
  readonly requestMs: number;
}

/** What a server is made of. */
export interface ServerParts extends GuardOptions {
  readonly served: ServedModel;
  readonly engine: ServingEngine;
  /** Whether the engine was opened for exact answers. */
  readonly exact: boolean;
  readonly limits: ServerLimits;
  readonly receiving: ReceivingLimits;
  readonly logger: FastifyBaseLogger;
}

/** A server, not yet listening. */
export interface BoundaryServer {
  /** Pages and endpoints can still be added to it. */
  readonly app: FastifyInstance;
  /** Takes no new requests, waits for those under way no longer than so many milliseconds, and closes. */
  drain(milliseconds: number): Promise<void>;
}

/** Milliseconds between two looks for requests that came too slowly, and for connections that became idle while draining. */
const LOOK_EVERY = { slow: 1000, idle: 50 } as const;
/** Characters of a name in an address: more than a request's head may have. */
const MOST_NAME = 2 ** 16;
/** Methods that routes may have. */
const METHODS = ["GET", "POST"] as const;
/** Connections at once; more are closed as they come. */
const MOST_CONNECTIONS = 1024;
/** Statuses of requests that are not even HTTP. Source: Node's http, event clientError. */
const CLIENT_ERRORS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/** Puts a server together: OpenAI's endpoints, what tells about the server, and the playground. It does not listen yet. */
export function createServer(parts: ServerParts): BoundaryServer {
  const { served, engine, exact, limits, receiving, logger } = parts;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: receiving.bodyBytes,
    requestTimeout: receiving.requestMs,
    // A longer name of a model is one that there is not, like any other.
    routerOptions: { maxParamLength: MOST_NAME },
    http: {
      // Node's own refusal has no body.
      requireHostHeader: false,
      headersTimeout: receiving.headersMs,
      connectionsCheckingInterval: Math.min(LOOK_EVERY.slow, receiving.headersMs),
    },
    clientErrorHandler,
    // Errors before any hook runs, such as those of a malformed address.
    frameworkErrors: (error, _request, reply) => {
      reply.hijack();
      sendError(reply.raw, asApiError(error));
    },
    forceCloseConnections: "idle",
    return503OnClosing: false,
    // Ids of clients would let them write into the log.
    requestIdHeader: false,
  });
  // A page elsewhere may send plain text without asking first; JSON it may not.
  app.removeContentTypeParser("text/plain");
  const answers = new Answers(engine, limits);
  app.server.maxConnections = MOST_CONNECTIONS;
  let draining = false;
  const isDraining = (): boolean => draining;
  /** Requests that had come before the drain. */
  const underWay = new Set<ServerResponse>();
  app.server.on("checkExpectation", refuseExpectation);
  reportErrors(app);
  guard(app, parts);
  app.addHook("onRequest", (request, { raw }, next) => {
    if (draining) {
      next(request.method === "POST" ? shuttingDown() : undefined);
      return;
    }
    underWay.add(raw);
    raw.once("close", () => underWay.delete(raw));
    next();
  });
  const format = requestFormatter(served.model);
  const fingerprint = `boundary-${version}-${served.adapter.sha256.slice(0, 12)}`;
  answerRoutes(app, { served, answers, format, fingerprint });
  infoRoutes(app, { served, answers, engine: engine.info, exact, chat: format !== undefined, isDraining });
  playgroundRoutes(app, parts);
  return {
    app,
    drain: async (milliseconds) => {
      draining = true;
      // Without node:http's own close, which would end idle connections at once: whoever is connected may still ask /health.
      NetServer.prototype.close.call(app.server);
      const end = performance.now() + milliseconds;
      while (underWay.size > 0 && performance.now() < end) await setTimeout(LOOK_EVERY.idle);
      answers.cancelAll();
      // Node counts a connection on which nothing has come yet as busy, and clients open such ones in advance.
      const idle = setInterval(() => {
        if (underWay.size === 0) app.server.closeAllConnections();
        else app.server.closeIdleConnections();
      }, LOOK_EVERY.idle);
      try {
        await app.close();
      } finally {
        clearInterval(idle);
      }
    },
  };
}

/** Every error in OpenAI's shape, those of unknown addresses too; the log has what clients are not told. */
function reportErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const told = asApiError(error);
    if (told.status >= 500 && !(error instanceof ApiError)) request.log.error(error, "a request failed");
    if (told.retryAfterSeconds !== undefined) reply.header("retry-after", told.retryAfterSeconds);
    if (told.status === 401) reply.header("www-authenticate", "Bearer");
    return reply.code(told.status).send(told.body);
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = METHODS.filter((method) => app.hasRoute({ method, url: routeOf(request.url) }));
    if (allowed.length === 0) {
      throw new ApiError({ status: 404, message: "There is nothing at this address.", code: "unknown_url" });
    }
    reply.header("allow", allowed.join(", "));
    const message = `This address takes ${allowed.join(" and ")}, not ${request.method}.`;
    throw new ApiError({ status: 405, message, code: "method_not_allowed" });
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "(unknown)";
    const ms = Math.round(reply.elapsedTime);
    request.log.info({ method: request.method, route, status: reply.statusCode, ms }, "answered");
  });
}

/** The route that an address would belong to, whatever the method. */
function routeOf(url: string): string {
  return url.replace(/[?#].*$/s, "").replace(/^\/v1\/models\/[^/]+$/, "/v1/models/:id");
}

/** Answers a request with an Expect header that no server knows. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const message = "The only expectation that this server meets is 100-continue.";
  sendError(response, new ApiError({ status: 417, message }));
}

/** Sends an error where no hook and no handler runs. */
function sendError(response: ServerResponse, { status, body }: ApiError): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "x-content-type-options": "nosniff",
    connection: "close",
  });
  response.end(text);
}

/** Answers what is not a sound HTTP request, or came too slowly, and ends its connection. */
function clientErrorHandler(this: FastifyInstance, error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  this.log.debug({ code: error.code }, "a connection was refused");
  const status = CLIENT_ERRORS[error.code ?? ""] ?? 400;
  const { body } = new ApiError({
    status,
    message: status === 408 ? "The request took too long to arrive." : "This is not a sound HTTP request.",
  });
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  if (socket.writable) socket.write(`${head.join("\r\n")}\r\n\r\n${text}`);
  socket.destroy();
}
