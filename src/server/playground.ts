import { readdirSync, readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { documentText, policy } from "./playground/document.js";

/** The page's modules as tsc writes them: the same folder seen from src, where tests run, and from dist. */
const MODULES = new URL("../../dist/server/playground/browser/", import.meta.url);
/** A source map would be asked for in vain. */
const SOURCE_MAP = /\n\/\/# sourceMappingURL=.*\s*$/;

/** What a playground depends on. */
export interface PlaygroundParts {
  /** The server wants a key. The page and its script are served without: they hold no data. */
  readonly apiKey: string | undefined;
}

/** GET / and the modules of its script, below /playground/. Files are read here, once. */
export function playgroundRoutes(app: FastifyInstance, { apiKey }: PlaygroundParts): void {
  const page = documentText({ keyNeeded: apiKey !== undefined });
  app.get("/", { config: { open: true } }, (_request, reply) =>
    reply
      .header("content-type", "text/html; charset=utf-8")
      .header("content-security-policy", policy)
      .header("cache-control", "no-cache")
      .send(page),
  );
  for (const name of readdirSync(MODULES).filter((file) => file.endsWith(".js"))) {
    const script = readFileSync(new URL(name, MODULES), "utf8").replace(SOURCE_MAP, "\n");
    app.get(`/playground/${name}`, { config: { open: true } }, (_request, reply) =>
      reply.header("content-type", "text/javascript; charset=utf-8").header("cache-control", "no-cache").send(script),
    );
  }
}
