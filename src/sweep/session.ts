import { resolve } from "node:path";
import type { Engine } from "../engine/engine.js";
import { openEngine } from "../engine/process-engine.js";
import { EngineCrashError, InterruptedError, UsageError } from "../errors.js";
import type { InputFiles } from "../files/input-files.js";
import type { SweepConfig } from "./config.js";
import { loadBaseInputs, type BaseConfig, type BaseInputs } from "./inputs/base-inputs.js";
import { guardedEngine, openUnchanged, whileUnchanged } from "./guarded-engine.js";
import { loadInputs, type SweepInputs } from "./inputs/inputs.js";
import { assertCanLeaveOut } from "./inputs/leaving-out.js";
import { hash, type SweepPlan } from "./plan.js";
import { planWithShortcuts } from "./shortcuts.js";

/**
 * Loads the inputs and opens the engine for them, on this machine or at a queue; closes both afterwards.
 * @param onNote told what a queue has to say, a line each.
 */
export async function withSession<T>(
  config: SweepConfig,
  signal: AbortSignal | undefined,
  use: (inputs: SweepInputs, engine: Engine) => Promise<T>,
  onNote: (line: string) => void = () => undefined,
): Promise<T> {
  assertHasQueue(config);
  const inputs = await loadInputs(config);
  try {
    assertCanLeaveOut(config, inputs.samples);
    const open = (): Promise<Engine> => openFor(config, inputs, signal, onNote);
    return await withEngine(open, inputs.files, signal, (engine) => use(inputs, engine));
  } finally {
    await inputs.close();
  }
}

/** {@link withSession} without an adapter. */
export async function withBaseSession<T>(
  config: BaseConfig,
  signal: AbortSignal | undefined,
  use: (inputs: BaseInputs, engine: Engine) => Promise<T>,
): Promise<T> {
  const inputs = await loadBaseInputs(config);
  return withEngine(
    () => openHere(config, inputs),
    inputs.files,
    signal,
    (engine) => use(inputs, engine),
  );
}

function assertHasQueue({ redis, mixed, fullHash }: SweepConfig): void {
  if (redis !== undefined || !(mixed || fullHash)) return;
  throw new UsageError({
    what: `${mixed ? "--mixed" : "--full-hash"} says which workers of a queue may answer, and there is no queue`,
    fix: "Give --redis URL too, or leave it out.",
  });
}

async function openFor(
  config: SweepConfig,
  inputs: SweepInputs,
  signal: AbortSignal | undefined,
  onNote: (line: string) => void,
): Promise<Engine> {
  const { gpu, gpuLayers, redis, mixed = false, fullHash = false, out } = config;
  if (redis === undefined) return openHere(config, inputs);
  const { model, adapter, samples } = inputs;
  const threads = config.threads === undefined ? {} : { threads: config.threads };
  const identity = hash([resolve(out), samples.map(({ part, sample, text }) => [part, sample.id, text])]);
  const engine = { gpu, gpuLayers, ...threads };
  // Who sweeps on this machine need not wait until the queue's client is loaded.
  const { openRemoteEngine } = await import("../queue/open-remote.js");
  return openRemoteEngine({ ...engine, redis, model, adapter, fullHash, mixed, identity, signal, onNote });
}

function openHere({ gpu, gpuLayers, threads }: BaseConfig, { model }: BaseInputs): Promise<Engine> {
  return openEngine({ modelPath: model.path, gpu, gpuLayers, ...(threads === undefined ? {} : { threads }) });
}

/**
 * Uses an engine, closes it afterwards, and at once when the signal fires.
 * @param files what its answers rest on: they are looked at once it is open, with each answer, and at the end.
 * @throws InputChangedError when one of them changes.
 */
export async function withEngine<T>(
  open: () => Promise<Engine>,
  files: InputFiles,
  signal: AbortSignal | undefined,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await openUnchanged(files, open);
  const stop = (): void => void engine.close();
  signal?.addEventListener("abort", stop);
  try {
    if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
    return await whileUnchanged(files, () => use(guardedEngine(engine, files)));
  } catch (error) {
    if (signal?.aborted && error instanceof EngineCrashError)
      throw new InterruptedError({ what: "stopped", cause: error });
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await engine.close();
  }
}

/** Lays out a sweep with the tokens that this engine makes of the prompts, and the shortcuts that change nothing on it. */
export async function planSession(engine: Engine, config: SweepConfig, inputs: SweepInputs): Promise<SweepPlan> {
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  // Layers are shared between boundaries: masks of other strategies have no common part below.
  return planWithShortcuts(engine, config, inputs, tokens, { sharing: inputs.strategy.kind === "prefix" });
}
