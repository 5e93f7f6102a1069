import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";

/** What one request to a fake endpoint brought. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
  /** The user message. */
  readonly question: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Answers one request; the number counts the requests from 0. */
export type Answering = (response: ServerResponse, request: SeenRequest, number: number) => void;

export interface FakeEndpoint {
  readonly baseUrl: string;
  readonly requests: SeenRequest[];
  /** Most requests that were open at once. */
  readonly mostAtOnce: () => number;
}

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

/** A real HTTP server on this machine that lasts for one test. */
export async function fakeEndpoint(answer: Answering): Promise<FakeEndpoint> {
  const requests: SeenRequest[] = [];
  let [open, most] = [0, 0];
  const server = createServer((request, response) => {
    most = Math.max(most, ++open);
    response.once("close", () => (open -= 1));
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as SeenRequest["body"];
      const [message] = body["messages"] as { content: string }[];
      const { url = "", headers } = request;
      const seen = {
        path: url,
        authorization: headers.authorization,
        headers,
        body,
        question: message!.content,
        at: Date.now(),
      };
      answer(response, seen, requests.push(seen) - 1);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}/v1`, requests, mostAtOnce: () => most };
}

/** An address on which nothing listens. */
export async function deadAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/v1`;
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** A chat completion with this answer, 11 prompt and 2 completion tokens. */
export function completion(content: string | null, choice: Record<string, unknown> = {}): unknown {
  return {
    id: "x",
    object: "chat.completion",
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content }, ...choice }],
    usage: { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 },
  };
}

/** Always the same answer. */
export function saying(content: string): Answering {
  return (response) => {
    json(response, 200, completion(content));
  };
}
