import { connect } from "node:net";
import OpenAI from "openai";
import { pino } from "pino";
import { beforeAll } from "vitest";
import { openServingEngine } from "../../src/engine/serving/serving-engine.js";
import type { ServingEngine } from "../../src/engine/serving/serving.js";
import { openServedModel, type ServedModel, type OfferSource } from "../../src/server/served-model.js";
import { createServer, type BoundaryServer, type ServerParts } from "../../src/server/server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

export const LAYERS = 4;
/** Milliseconds that an engine may take to start on a busy machine. */
export const START_TIMEOUT = 60_000;

/** A request of the official client, with the field that is ours. */
export type Ask = OpenAI.ChatCompletionCreateParamsNonStreaming & { boundary?: number };

/** What of a server a test sets otherwise. */
export type ServerSettings = Partial<Omit<ServerParts, "served" | "engine" | "logger" | "limits">> & {
  readonly limits?: Partial<ServerParts["limits"]>;
  readonly contexts?: number;
};

/** A server in this process with an engine of its own. */
export interface RunningServer {
  readonly url: string;
  readonly served: ServedModel;
  readonly engine: ServingEngine;
  readonly server: BoundaryServer;
  /** The official client, without retries. */
  readonly client: OpenAI;
  close(): Promise<void>;
}

/** The engine and the offer that servers of a test file share: starting them takes most of the time. */
export async function openServed(
  source: OfferSource,
  { parallel = 4, contexts = 3, exact = true }: { parallel?: number; contexts?: number; exact?: boolean } = {},
): Promise<{ served: ServedModel; engine: ServingEngine; close: () => Promise<void> }> {
  const served = await openServedModel(source);
  const context = {
    sequences: parallel,
    contextSize: 512,
    batchSize: 512,
    cacheType: "F16",
    flashAttention: "auto",
  } as const;
  const engine = await openServingEngine({ modelPath: served.model.path, gpu: "off", gpuLayers: 0, threads: 1 }, () => {
    return { context, contexts, exact };
  });
  await engine.prepare(served.piecesOf(served.model.layerCount));
  return {
    served,
    engine,
    close: async () => {
      await engine.close();
      await served.close();
    },
  };
}

/** Puts a server before an engine and listens on a free port. */
export async function startServer(
  { served, engine }: { readonly served: ServedModel; readonly engine: ServingEngine },
  { limits, ...settings }: ServerSettings = {},
): Promise<RunningServer> {
  const server = createServer({
    ...{ apiKey: undefined, allowOrigins: [], loopbackOnly: true, exact: true },
    receiving: { bodyBytes: 100_000, headersMs: 10_000, requestMs: 10_000 },
    logger: pino({ level: "silent" }),
    ...settings,
    ...{ served, engine },
    limits: { parallel: 4, queue: 64, maxTokens: 64, maxSeconds: 60, contextSize: 512, ...limits },
  });
  const url = await server.app.listen({ host: "127.0.0.1", port: 0 });
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: settings.apiKey ?? "none", maxRetries: 0 });
  return { url, served, engine, server, client, close: () => server.drain(0) };
}

/** A server over a tiny random model and adapter for all tests of a file. */
export interface TinyServer {
  readonly main: RunningServer;
  readonly folder: string;
  readonly engine: ServingEngine;
  textOf(body: Ask): Promise<string>;
  post(path: string, body: string, headers?: Record<string, string>): Promise<Response>;
  /** Puts another server before the same engine for one test. */
  withServer<T>(settings: ServerSettings, use: (server: RunningServer) => Promise<T>): Promise<T>;
}

/** Starts it before the tests of a file; it may be used once they run. */
export function tinyServer(): TinyServer {
  const folder = temporaryFolder();
  const state: { served?: { served: ServedModel; engine: ServingEngine }; main?: RunningServer } = {};
  const present = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error("the server runs while tests run");
    return value;
  };
  beforeAll(async () => {
    const options = { architecture: "llama", layers: LAYERS } as const;
    const model = await writeTinyModel(folder.path, "base.gguf", options);
    const adapter = await writeTinyAdapter(folder.path, "lora.gguf", options);
    const opened = await openServed({ model, adapter });
    // The engine holds every piece by now: what it loaded them from is not needed.
    await opened.served.close();
    state.served = opened;
    const main = await startServer(opened);
    state.main = main;
    return async () => {
      await main.close();
      await opened.close();
    };
  }, START_TIMEOUT);
  return {
    get main() {
      return present(state.main);
    },
    get folder() {
      return folder.path;
    },
    get engine() {
      return present(state.served).engine;
    },
    textOf: async (body) =>
      (await present(state.main).client.chat.completions.create(body)).choices[0]?.message.content ?? "",
    post: (path, body, headers = {}) =>
      fetch(`${present(state.main).url}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      }),
    withServer: async (settings, use) => {
      const server = await startServer(present(state.served), settings);
      try {
        return await use(server);
      } finally {
        await server.close();
      }
    },
  };
}

/** A short question to the full adapter. */
export function question(content: string): Ask {
  return { model: "full", max_completion_tokens: 10, messages: [{ role: "user", content }] };
}

/** Sends bytes and collects the answer until the server ends the connection. */
export async function rawRequest(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
  socket.write(bytes);
  await new Promise((resolve, reject) => {
    socket.once("close", resolve);
    socket.once("error", reject);
  });
  return answer;
}
