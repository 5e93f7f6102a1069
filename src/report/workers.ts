import type { Announcement } from "../queue/presence.js";
import { plainTable } from "./table.js";

/** The workers of a queue as a table. @param nowMs milliseconds since 1970. */
export function workersReport(workers: readonly Announcement[], nowMs: number): string {
  if (workers.length === 0) return "No worker is there.";
  const table = plainTable([
    "name",
    "model",
    "backend",
    "threads",
    "llama.cpp",
    "jobs",
    "answers",
    "tok/s",
    "last seen",
    "doing",
  ]);
  for (const { name, model, engine, jobs, answers, tokensPerSecond, seenMs, doing } of workers) {
    table.push([
      name,
      `${model.name} ${model.sampled.slice(0, 8)}`,
      engine.backend,
      String(engine.threads),
      engine.llamaCpp,
      String(jobs),
      String(answers),
      tokensPerSecond.toFixed(0),
      `${Math.max(0, Math.round((nowMs - seenMs) / 1000))} s ago`,
      doing === "" ? "waiting" : doing,
    ]);
  }
  return table.toString();
}
