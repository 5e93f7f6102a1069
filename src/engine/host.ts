import "./parent-decides.js";
import { setImmediate as queueSend } from "node:timers";
import { setImmediate } from "node:timers/promises";
import { InsufficientMemoryError, NoBinaryFoundError } from "node-llama-cpp";
import { messageOf, nameSettingsAsFlags } from "../errors.js";
import { logMark } from "./engine-log.js";
import { HostSession, MissingBackendError, probeBackend } from "./host-session.js";
import { answerMethods, layerMethods, type EngineCalls } from "./methods.js";
import {
  concurrentMethods,
  type HostCalls,
  type HostEvent,
  type HostFailure,
  type HostReply,
  type HostRequest,
} from "./protocol.js";
import type { ServingSession } from "./serving/serving-session.js";

/** Entry point of the engine's process: serves the parent's calls one after another, those of serving at once, and ends with the parent. */
// The parent names settings as its reader gives them.
nameSettingsAsFlags();
let session: HostSession | undefined;
let serving: ServingSession | undefined;
let tail: Promise<void> = Promise.resolve();
let events: HostEvent[] = [];

process.on("message", (request: HostRequest) => {
  if (concurrentMethods.includes(request.method)) void serve(request);
  else tail = tail.then(() => serve(request));
});
process.on("disconnect", () => process.exit(0));

async function serve(request: HostRequest): Promise<void> {
  const { id } = request;
  // Calls that are served at once share their lines: those of one cannot be told.
  if (!concurrentMethods.includes(request.method)) await mark(id, "begins");
  try {
    send({ id, result: await answer(request) });
  } catch (error) {
    const failure = describe(error);
    await mark(id, "ends");
    send({ id, failure });
  }
}

/** Marks a place in the log. llama.cpp's lines come by way of node-llama-cpp, which tells them a turn later. */
async function mark(id: number, what: Parameters<typeof logMark>[1]): Promise<void> {
  await setImmediate();
  await setImmediate();
  process.stderr.write(logMark(id, what));
}

async function answer(request: HostRequest): Promise<Extract<HostReply, { result: unknown }>["result"]> {
  if (request.method === "open") {
    session = await HostSession.open(request.params);
    return session.info;
  }
  if (request.method === "probe") return probeBackend(request.params);
  if (request.method === "release") {
    serving?.close();
    await session?.close();
    [session, serving] = [undefined, undefined];
    return null;
  }
  if (!session) throw new Error("no model is open");
  if (isEngineCall(request)) {
    const { id, method, params } = request;
    const result = await session.call(method, params, (event) => {
      send({ events: [{ id, event }] });
    });
    // The session gives each method's own result.
    return result as HostCalls[typeof method]["result"];
  }
  switch (request.method) {
    case "serve":
      serving = session.serve(request.params);
      return null;
    case "prepare":
    case "answer":
    case "cancel":
    case "servingStatus":
      return answerServing(request, serving);
  }
}

function isEngineCall(request: HostRequest): request is Extract<HostRequest, { method: keyof EngineCalls }> {
  return request.method in answerMethods || request.method in layerMethods;
}

type ServingCall = Extract<HostRequest, { method: "prepare" | "answer" | "cancel" | "servingStatus" }>;

async function answerServing(
  { id, method, params }: ServingCall,
  to: ServingSession | undefined,
): Promise<Extract<HostReply, { result: unknown }>["result"]> {
  if (!to) throw new Error("nothing is being served");
  switch (method) {
    case "prepare":
      await to.prepare(params);
      return null;
    case "answer":
      return to.answer(params, (event) => {
        collect({ id, event });
      });
    case "cancel":
      to.cancel(params);
      return null;
    case "servingStatus":
      return to.status();
  }
}

/** Events of one step go into one message: at thousands of tokens a second each message counts. */
function collect(event: HostEvent): void {
  if (events.push(event) === 1) queueSend(sendEvents);
}

function sendEvents(): void {
  const collected = events;
  events = [];
  if (collected.length > 0) process.send?.({ events: collected } satisfies HostReply);
}

function send(reply: HostReply): void {
  sendEvents();
  process.send?.(reply);
}

function describe(error: unknown): HostFailure {
  const message = messageOf(error);
  if (error instanceof InsufficientMemoryError) return { kind: "memory", message };
  if (error instanceof NoBinaryFoundError || error instanceof MissingBackendError) return { kind: "backend", message };
  return { kind: "engine", message };
}
