import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { presentWorkers } from "../../src/queue/presence.js";
import { Seal } from "../../src/queue/seal.js";
import { killGroup, startCli } from "../support/cli.js";
import { HURRY, hurriedEntry } from "./hurried.js";

const demo = fileURLToPath(new URL("../../eval/demo", import.meta.url));
export const demoModel = join(demo, "model.gguf");
export const demoAdapter = join(demo, "adapter.gguf");

/** A started `boundary worker` with what it has printed so far. */
export interface StartedWorker {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Ends it as `kill -9` does, its engine with it. */
  kill(): void;
}

/** Starts `boundary` as the tests of the queue run it. */
export function startHurried(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return startCli(args, env, [hurriedEntry, String(HURRY)]);
}

/** Starts `boundary worker` on the demo's model. */
export function startWorker(
  url: string,
  name: string,
  cache: string,
  { more = [], env = {} }: { more?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): StartedWorker {
  const fixed = ["--gpu", "off", "--threads", "1", "--cache", cache, "--lock-seconds", "3"];
  const model = more.includes("--model") ? [] : ["--model", demoModel];
  const child = startHurried(["worker", "--redis", url, ...model, "--name", name, ...fixed, ...more], env);
  let output = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stdout?.resume();
  return {
    child,
    output: () => output,
    kill: () => {
      killGroup(child);
    },
  };
}

/** Arguments of a sweep over the demo that any machine repeats: K = 0, 2, ... of 8, or the masks of another strategy, on 24 samples or `--limit`. */
export function demoSweep(out: string, ...more: string[]): string[] {
  const files = ["--model", demoModel, "--adapter", demoAdapter, "--data", join(demo, "validation.jsonl")];
  const fixed = [
    "--gpu",
    "off",
    "--threads",
    "1",
    "--rule",
    "best",
    ...(more.includes("--limit") ? [] : ["--limit", "24"]),
  ];
  const boundaries = more.includes("--strategy") ? [] : ["--boundaries", "0-8:2"];
  return ["sweep", ...files, ...fixed, ...boundaries, "--out", out, ...more];
}

/** `result.json` of a run without its timings. */
export async function resultOf(folder: string): Promise<unknown> {
  const rest = JSON.parse(await readFile(join(folder, "result.json"), "utf8")) as Record<string, unknown>;
  delete rest["timings"];
  return rest;
}

/** Waits until so many workers are there. */
export async function workersThere(url: string, count: number, seal = Seal.none): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  try {
    while ((await presentWorkers(redis, seal)).length < count) await pause(50);
  } finally {
    redis.disconnect();
  }
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
