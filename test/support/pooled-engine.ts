import { afterAll } from "vitest";
import type { Engine, EngineOptions } from "../../src/engine/engine.js";
import type * as processEngine from "../../src/engine/process-engine.js";

type ProcessEngineModule = typeof processEngine;

const engines = new Map<string, Promise<Engine>>();
let asked = 0;

afterAll(closeEngines);

/**
 * Real engines, but one for each model and its settings in a whole test file: to start one takes longer than all answers of a tiny model.
 * For tests that neither stop nor crash an engine:
 *
 *     vi.mock("../../src/engine/process-engine.js", async (original) =>
 *       (await import("../support/pooled-engine.js")).pooledEngines(await original()),
 *     );
 */
export function pooledEngines(original: ProcessEngineModule): ProcessEngineModule {
  const openEngine = async (options: EngineOptions): Promise<Engine> => {
    const key = JSON.stringify(options);
    const known = engines.get(key) ?? original.openEngine(options);
    engines.set(key, known);
    try {
      return counted(await known);
    } catch (error) {
      engines.delete(key);
      throw error;
    }
  };
  return { ...original, openEngine };
}

/** Closes the pooled engines; the next user gets a new process. */
export async function closeEngines(): Promise<void> {
  const open = [...engines.values()];
  engines.clear();
  await Promise.all(open.map(async (engine) => (await engine).close()));
}

/** Answers that pooled engines were asked for so far. */
export function answersAsked(): number {
  return asked;
}

/** The engine for one user: it stays open when that user closes it. */
function counted(engine: Engine): Engine {
  return {
    ...engine,
    generate: (request, onGeneration) => {
      // Nobody takes the answers that speeds and costs are measured by.
      if (onGeneration) asked += request.prompts.length;
      return engine.generate(request, onGeneration);
    },
    generateShared: (request, onGeneration) => {
      asked += request.prompts.length * request.boundaries.length;
      return engine.generateShared(request, onGeneration);
    },
    close: () => Promise.resolve(),
  };
}
