import { resolve } from "node:path";
import type { Engine } from "../engine/engine.js";
import { openEngine } from "../engine/process-engine.js";
import { EngineCrashError, InterruptedError } from "../errors.js";
import { openRemoteEngine } from "../queue/open-remote.js";
import type { SweepConfig } from "./config.js";
import { loadInputs, type SweepInputs } from "./inputs.js";
import { assertCanLeaveOut } from "./leaving-out.js";
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
  const inputs = await loadInputs(config);
  try {
    assertCanLeaveOut(config, inputs.samples);
    const open = (): Promise<Engine> => openFor(config, inputs, signal, onNote);
    return await withEngine(open, signal, (engine) => use(inputs, engine));
  } finally {
    await inputs.close();
  }
}

function openFor(
  config: SweepConfig,
  { model, adapter, samples }: SweepInputs,
  signal: AbortSignal | undefined,
  onNote: (line: string) => void,
): Promise<Engine> {
  const { gpu, gpuLayers, redis, mixed = false, fullHash = false, out } = config;
  const threads = config.threads === undefined ? {} : { threads: config.threads };
  if (redis === undefined) return openEngine({ modelPath: model.path, gpu, gpuLayers, ...threads });
  const identity = hash([resolve(out), samples.map(({ part, sample, text }) => [part, sample.id, text])]);
  return openRemoteEngine({ redis, model, adapter, gpu, ...threads, fullHash, mixed, identity, signal, onNote });
}

/** Opens the engine, closes it afterwards, and at once when the signal fires. */
async function withEngine<T>(
  open: () => Promise<Engine>,
  signal: AbortSignal | undefined,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await open();
  const stop = (): void => void engine.close();
  signal?.addEventListener("abort", stop);
  try {
    if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
    return await use(engine);
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
  return planWithShortcuts(engine, config, inputs, tokens, { sharing: true });
}
