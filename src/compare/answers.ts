import { makeTemporaryFolder } from "../files/temporary-folder.js";
import { join } from "node:path";
import { at, defined } from "../assert.js";
import { boundaryCandidates, type Candidate } from "../adapter/mask.js";
import { moduleBytes } from "../adapter/adapter.js";
import { openAdapter, type OpenedAdapter } from "../adapter/open-adapter.js";
import { writePieces } from "../adapter/pieces.js";
import type { Engine, EngineInfo } from "../engine/engine.js";
import { resolveAdapterPath } from "../engine/resolve-model.js";
import { UsageError } from "../errors.js";
import type { Sample } from "../samples/sample.js";
import type { SweepConfig } from "../sweep/config.js";
import { timesOf } from "../sweep/inputs/scoring.js";
import { evaluate } from "../sweep/evaluate.js";
import type { SweepInputs } from "../sweep/inputs/inputs.js";
import { Journal, type JournalRow } from "../run/journal.js";
import { decidingSettings, hash, type SweepPlan } from "../sweep/plan.js";
import { planWithShortcuts } from "../sweep/shortcuts.js";
import { RunFolder } from "../run/run-folder.js";
import { withSession } from "../sweep/session.js";
import type { System } from "./systems.js";

/** What one system answered, in the order of the samples. */
export interface SystemAnswers {
  readonly name: string;
  /** Bytes of adapter tensors that it needs; undefined for a finished run, which does not tell. */
  readonly adapterBytes: number | undefined;
  readonly rows: readonly AnswerRow[];
}

/** What a comparison needs of an answer. */
export type AnswerRow = Pick<JournalRow, "sampleId" | "output" | "tokens" | "stop"> &
  Partial<Pick<JournalRow, "prefillMs" | "decodeMs">>;

/** How a caller follows a comparison. */
export interface CompareHooks {
  readonly onProgress?: (progress: { system: string; done: number; total: number }) => void;
  readonly signal?: AbortSignal;
}

/** The answers of all live systems, and what they were made with. */
export interface LiveAnswers {
  readonly inputs: SweepInputs;
  readonly samples: readonly Sample[];
  readonly info: EngineInfo;
  readonly answers: readonly SystemAnswers[];
}

type LiveSystem = Exclude<System, { kind: "run" }>;

/**
 * Has each system answer every sample, one system after the other, all in the same batches. With `config.out` the answers are kept there and
 * the same call goes on where it was stopped.
 * @param check looks at the inputs before anything is generated; what it throws ends the work.
 * @throws a BoundaryError for anything a user can mend; InterruptedError when the signal fired.
 */
export async function answerLive(
  config: SweepConfig,
  systems: readonly LiveSystem[],
  hooks: CompareHooks,
  check: (inputs: SweepInputs) => void,
): Promise<LiveAnswers> {
  return withSession(config, hooks.signal, async (inputs, engine) => {
    check(inputs);
    const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
    const scratch = await makeTemporaryFolder("compare");
    const opened: OpenedAdapter[] = [];
    let folder: RunFolder | undefined;
    let journal: Journal | undefined;
    try {
      const jobs: Job[] = [];
      for (const system of systems) {
        const adapter =
          system.kind === "adapter"
            ? await openAdapter(await resolveAdapterPath(system.path), inputs.model)
            : undefined;
        if (adapter) {
          opened.push(adapter);
          inputs.files.add(adapter.adapter.sources);
        }
        const own = adapter ? { ...inputs, adapter: adapter.adapter } : inputs;
        const plan = await planWithShortcuts(engine, config, own, tokens, { sharing: false });
        jobs.push({ system, inputs: own, plan, candidate: candidateOf(system, own, plan) });
      }
      folder = config.out === "" ? undefined : await RunFolder.take(config.out, runFingerprint(jobs), { fresh: false });
      journal = await Journal.open(folder?.file("journal") ?? join(scratch.path, "journal.jsonl"));
      const answers: SystemAnswers[] = [];
      for (const job of jobs) answers.push(await answerOne(job, engine, journal, join(scratch.path, "pieces"), hooks));
      const samples = at(jobs, 0).plan.selection.map(({ sample }) => sample);
      return { inputs, samples, info: engine.info, answers };
    } finally {
      await journal?.close();
      await folder?.release();
      for (const { close } of opened) await close();
      await scratch.remove();
    }
  });
}

interface Job {
  readonly system: LiveSystem;
  readonly inputs: SweepInputs;
  readonly plan: SweepPlan;
  readonly candidate: Candidate;
}

function candidateOf(system: LiveSystem, { adapter, model }: SweepInputs, plan: SweepPlan): Candidate {
  if (system.kind === "base") return plan.base;
  if (system.kind !== "boundary") return plan.full;
  if (system.boundary > model.layerCount) {
    throw new UsageError({
      what: "the boundary is beyond the model",
      actual: `K=${system.boundary}`,
      expected: `0 to ${model.layerCount}`,
    });
  }
  return boundaryCandidates(adapter, model.layerCount, [system.boundary])[0] ?? plan.full;
}

/** Answers are kept by what decides them, so any comparison with the same model, data and settings may share a folder. */
function runFingerprint(jobs: readonly Job[]): Record<string, string> {
  const [first] = jobs;
  if (!first) return {};
  const { plan, inputs } = first;
  return {
    command: "compare",
    data: inputs.data.sha256,
    generation: JSON.stringify(decidingSettings(plan.generation, inputs.model)),
    model: inputs.model.sha256,
    prompt: hash(inputs.askedBy),
  };
}

async function answerOne(
  { system, inputs, plan, candidate }: Job,
  engine: Engine,
  journal: Journal,
  folder: string,
  { signal, onProgress }: CompareHooks,
): Promise<SystemAnswers> {
  let done = 0;
  const [answers] = await evaluate(
    {
      plan,
      inputs,
      engine,
      journal,
      pieces: await writePieces(inputs.adapter, [candidate.mask], folder),
      signal,
      onRow: () => {
        done += 1;
        onProgress?.({ system: system.name, done, total: plan.selection.length * timesOf(inputs.needs.selection) });
      },
    },
    [candidate],
    plan.selection,
  );
  const kept = inputs.adapter.modules.filter(({ name }) => candidate.mask.has(name));
  return {
    name: system.name,
    adapterBytes: kept.reduce((sum, module) => sum + moduleBytes(module), 0),
    rows: defined(answers, "the answers of a system").rows,
  };
}
