import type { Engine, EngineOptions } from "../engine/engine.js";
import { openEngine } from "../engine/process-engine.js";
import { EngineCrashError, InterruptedError } from "../errors.js";
import type { SweepConfig } from "./config.js";
import { loadBaseInputs, type BaseConfig, type BaseInputs } from "./base-inputs.js";
import { loadInputs, type SweepInputs } from "./inputs.js";
import { assertCanLeaveOut } from "./leaving-out.js";
import type { SweepPlan } from "./plan.js";
import { planWithShortcuts } from "./shortcuts.js";

/** Loads the inputs and opens the engine for them; closes both afterwards. */
export async function withSession<T>(
  config: SweepConfig,
  signal: AbortSignal | undefined,
  use: (inputs: SweepInputs, engine: Engine) => Promise<T>,
): Promise<T> {
  const inputs = await loadInputs(config);
  try {
    assertCanLeaveOut(config, inputs.samples);
    return await withEngine(engineOptions(config, inputs), signal, (engine) => use(inputs, engine));
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
  return withEngine(engineOptions(config, inputs), signal, (engine) => use(inputs, engine));
}

function engineOptions({ gpu, gpuLayers, threads }: BaseConfig, { model }: BaseInputs): EngineOptions {
  return { modelPath: model.path, gpu, gpuLayers, ...(threads === undefined ? {} : { threads }) };
}

/** Opens an engine, closes it afterwards, and at once when the signal fires. */
export async function withEngine<T>(
  options: EngineOptions,
  signal: AbortSignal | undefined,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await openEngine(options);
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
