import type { Announcement } from "../queue/presence.js";
import { plainTable } from "./table.js";

/** A worker, and how long ago it was last heard of; null where it has gone meanwhile. */
type SeenWorker = Announcement & { readonly silentSeconds: number | null };

/** The workers of a queue as a table. */
export function workersReport(workers: readonly SeenWorker[]): string {
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
  for (const { name, model, engine, jobs, answers, tokensPerSecond, silentSeconds, doing } of workers) {
    table.push([
      name,
      `${model.name} ${model.sampled.slice(0, 8)}`,
      engine.backend,
      String(engine.threads),
      engine.llamaCpp,
      String(jobs),
      String(answers),
      tokensPerSecond.toFixed(0),
      silentSeconds === null ? "gone" : `${Math.round(silentSeconds)} s ago`,
      doing === "" ? "waiting" : doing,
    ]);
  }
  return table.toString();
}
