import { InsufficientMemoryError, NoBinaryFoundError } from "node-llama-cpp";
import { HostSession, probeBackend } from "./host-session.js";
import type { HostFailure, HostReply, HostRequest } from "./protocol.js";

/** Entry point of the engine's process: serves the parent's calls one after another and ends with the parent. */
let session: HostSession | undefined;
let tail: Promise<void> = Promise.resolve();

process.on("message", (request: HostRequest) => {
  tail = tail.then(() => serve(request));
});
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on("SIGINT", () => undefined);

async function serve(request: HostRequest): Promise<void> {
  try {
    send({ id: request.id, result: await answer(request) });
  } catch (error) {
    send({ id: request.id, failure: describe(error) });
  }
}

async function answer(request: HostRequest): Promise<Extract<HostReply, { result: unknown }>["result"]> {
  if (request.method === "open") {
    session = await HostSession.open(request.params);
    return session.info;
  }
  if (request.method === "probe") return probeBackend(request.params);
  if (request.method === "peakMemory") return process.resourceUsage().maxRSS * 1024;
  if (!session) throw new Error("no model is open");
  switch (request.method) {
    case "tokenize":
      return session.tokenize(request.params);
    case "generate":
      return session.generate(request.params, (event) => {
        send({ id: request.id, event });
      });
    case "nextTokenLogits":
      return session.nextTokenLogits(request.params);
  }
}

function send(reply: HostReply): void {
  process.send?.(reply);
}

function describe(error: unknown): HostFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InsufficientMemoryError) return { kind: "memory", message };
  if (error instanceof NoBinaryFoundError) return { kind: "backend", message };
  return { kind: "engine", message };
}
