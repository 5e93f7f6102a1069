import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { partition, type Piece } from "../../src/adapter/pieces.js";
import type { Shortcuts } from "../../src/engine/engine.js";
import { EngineCrashError, EngineError, InterruptedError } from "../../src/errors.js";
import { evaluate } from "../../src/sweep/evaluate.js";
import type { Evaluation } from "../../src/sweep/evaluation.js";
import { type Answers } from "../../src/choice/scores.js";
import { Journal, type JournalRow } from "../../src/run/journal.js";
import { cutWaves, type SweepPlan } from "../../src/sweep/plan.js";
import { failureOf } from "../support/failure.js";
import { inputsWith, planWith } from "../support/planned-sweep.js";
import { scriptedEngine, type ScriptedEngine } from "../support/scripted-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
let files = 0;

/** Five samples in waves of two, candidates K = 1 and K = 3. */
const inputs = { ...inputsWith({ selection: 5, holdout: 0 }), boundaries: [1, 3] };
const plan: SweepPlan = planWith(inputs, { sequences: 2, maxTokens: 8 });
const pieces = partition(
  inputs.adapter.modules,
  plan.candidates.map(({ mask }) => mask),
).map((group, i): Piece => ({ path: `p${i}`, modules: group.map(({ name }) => name) }));
const WAVES = [["s0", "s1"], ["s2", "s3"], ["s4"]];
const keys = plan.candidates.flatMap((one) => cutWaves(plan, one, plan.selection).flatMap((wave) => wave.keys));

interface Seen {
  readonly answers: Answers[];
  readonly rows: [sampleId: string, boundary: number, generatedNow: boolean][];
}

async function run(engine: ScriptedEngine, path: string, signal?: AbortSignal): Promise<Seen> {
  const journal = await Journal.open(path);
  const rows: Seen["rows"] = [];
  const onRow: Evaluation["onRow"] = (row, candidate, now) => void rows.push([row.sampleId, candidate.number, now]);
  try {
    const evaluation: Evaluation = { plan, inputs, engine, journal, pieces, signal, onRow };
    return { answers: await evaluate(evaluation, plan.candidates, plan.selection), rows };
  } finally {
    await journal.close();
  }
}

const newJournal = (): string => join(folder.path, `${files++}.jsonl`);
const rowsIn = async (path: string): Promise<JournalRow[]> =>
  (await readFile(path, "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as JournalRow);

describe("evaluating candidates", () => {
  it("asks wave by wave under each mask, and gives the answers in the order of the samples", async () => {
    const engine = scriptedEngine();
    const { answers, rows } = await run(engine, newJournal());
    expect(engine.waves).toEqual([...WAVES, ...WAVES]);
    expect(
      engine.requests.map((request) => request.pieces.map(({ path, scale }) => `${path}*${scale}`).join()),
    ).toEqual([...Array<string>(3).fill("p0*1"), ...Array<string>(3).fill("p0*1,p1*1")]);
    expect(engine.requests[0]).toMatchObject({ ...plan.generation });
    expect(answers.map(({ candidate, rows: own }) => [candidate.number, own.map(({ output }) => output)])).toEqual([
      [1, ["p0:s0", "p0:s1", "p0:s2", "p0:s3", "p0:s4"]],
      [3, ["p0+p1:s0", "p0+p1:s1", "p0+p1:s2", "p0+p1:s3", "p0+p1:s4"]],
    ]);
    expect(rows).toHaveLength(10);
    expect(rows.every(([, , generatedNow]) => generatedNow)).toBe(true);
  });

  it("journals each answer once, with all that is known of it", async () => {
    const path = newJournal();
    await run(scriptedEngine(), path);
    const rows = await rowsIn(path);
    expect(new Set(rows.map(({ key }) => key))).toEqual(new Set(keys));
    expect(rows).toHaveLength(keys.length);
    expect(rows.find(({ key }) => key === keys[1])).toEqual({
      key: keys[1],
      boundary: 1,
      sampleId: "s1",
      part: "selection",
      output: "p0:s1",
      tokens: [1, 2],
      stop: "eog",
      promptTokens: 3,
      prefillMs: 1,
      decodeMs: 2,
      decodedTokens: 1,
    });
  });

  it("has two waves under way, never more", async () => {
    const engine = scriptedEngine();
    await run(engine, newJournal());
    expect(engine.mostAtOnce()).toBe(2);
  });
});

describe("a journal of an earlier run", () => {
  it("that is complete is enough: nothing is generated", async () => {
    const path = newJournal();
    const before = await run(scriptedEngine(), path);
    const text = await readFile(path, "utf8");
    const engine = scriptedEngine();
    const { answers, rows } = await run(engine, path);
    expect(engine.waves).toEqual([]);
    expect(answers).toEqual(before.answers);
    expect(rows).toHaveLength(10);
    expect(rows.some(([, , generatedNow]) => generatedNow)).toBe(false);
    expect(await readFile(path, "utf8")).toBe(text);
  });

  it("with a wave cut short has that wave generated whole, and no row twice", async () => {
    const path = newJournal();
    const journal = await Journal.open(path);
    const earlier = newJournal();
    await run(scriptedEngine(), earlier);
    const all = await rowsIn(earlier);
    // K = 1 has all of its first wave and one answer of its second; that answer was another one then.
    for (const row of all.filter(({ key }) => keys.slice(0, 3).includes(key))) {
      await journal.append(row.key === keys[2] ? { ...row, output: "as it was" } : row);
    }
    await journal.close();
    const engine = scriptedEngine();
    const { answers, rows } = await run(engine, path);
    expect(engine.waves).toEqual([...WAVES.slice(1), ...WAVES]);
    expect(answers[0]?.rows.map(({ output }) => output)).toEqual(["p0:s0", "p0:s1", "as it was", "p0:s3", "p0:s4"]);
    const after = await rowsIn(path);
    expect(after.map(({ key }) => key)).toHaveLength(keys.length);
    expect(new Set(after.map(({ key }) => key)).size).toBe(keys.length);
    const reused = rows.filter(([, , generatedNow]) => !generatedNow).map(([id, boundary]) => [id, boundary]);
    expect(reused.sort()).toEqual([
      ["s0", 1],
      ["s1", 1],
      ["s2", 1],
    ]);
  });

  it("under other keys counts for nothing", async () => {
    const path = newJournal();
    const journal = await Journal.open(path);
    const earlier = newJournal();
    await run(scriptedEngine(), earlier);
    for (const row of await rowsIn(earlier)) await journal.append({ ...row, key: `other ${row.key}` });
    await journal.close();
    const engine = scriptedEngine();
    await run(engine, path);
    expect(engine.waves).toHaveLength(6);
    expect(await rowsIn(path)).toHaveLength(20);
  });
});

describe("a run that does not reach its end", () => {
  it("stops at a signal: waves under way end, later ones never start, and what was answered is kept", async () => {
    const path = newJournal();
    const stop = new AbortController();
    const engine = scriptedEngine((wave) => {
      if (wave === 1) stop.abort();
    });
    const error = await failureOf(InterruptedError, () => run(engine, path, stop.signal));
    expect(error.message).toBe("stopped. Finished answers are kept: run the same command again to go on.");
    expect(engine.waves.length).toBeLessThanOrEqual(3);
    expect(engine.waves.length).toBeGreaterThanOrEqual(2);
    const kept = await rowsIn(path);
    expect(kept.length).toBe(engine.waves.flat().length);
    const rest = scriptedEngine();
    const { answers } = await run(rest, path);
    expect(rest.waves).toHaveLength(6 - engine.waves.length);
    expect(answers).toEqual((await run(scriptedEngine(), newJournal())).answers);
  });

  it("does not start at all when the signal has fired already", async () => {
    const engine = scriptedEngine();
    await failureOf(InterruptedError, () => run(engine, newJournal(), AbortSignal.abort()));
    expect(engine.waves).toEqual([]);
  });

  it("is interrupted, not crashed, when the engine dies of the signal", async () => {
    const stop = new AbortController();
    const engine = scriptedEngine(() => {
      stop.abort();
      throw new EngineCrashError({ what: "the engine ended" }, "SIGTERM", "");
    });
    await failureOf(InterruptedError, () => run(engine, newJournal(), stop.signal));
  });

  it("fails with the engine's own error, starts no further wave, and keeps the answers that came before it", async () => {
    const path = newJournal();
    const failure = new EngineError({ what: "decode failed" });
    const engine = scriptedEngine((wave) => {
      if (wave === 1) throw failure;
    }, 1);
    const error = await failureOf(EngineError, () => run(engine, path));
    expect(error).toBe(failure);
    expect(engine.waves.length).toBeLessThanOrEqual(3);
    // One answer of the failing wave had come already; the others' waves are whole.
    const kept = (await rowsIn(path)).map(({ sampleId }) => sampleId);
    expect(kept).toContain("s3");
    expect(kept).not.toContain("s2");
    const rest = scriptedEngine();
    await run(rest, path);
    expect(rest.waves[0]).toEqual(["s2", "s3"]);
    expect(await rowsIn(path)).toHaveLength(10);
  });

  it("crashes as a crash when no signal was given", async () => {
    const crash = new EngineCrashError({ what: "the engine ended" }, "SIGABRT", "GGML_ASSERT");
    const engine = scriptedEngine(() => {
      throw crash;
    });
    expect(await failureOf(EngineCrashError, () => run(engine, newJournal()))).toBe(crash);
    // One more wave may have been at the door when the first two failed.
    expect(engine.waves.length).toBeLessThanOrEqual(3);
  });
});

describe("answers that do not depend on those beside them", () => {
  const alone = { invariantTokens: 256, sharedLayers: false, reasons: [] };
  const planFor = (shortcuts: Shortcuts): SweepPlan => planWith(inputs, { maxTokens: 8 }, undefined, shortcuts);
  const evaluateWith = async (
    own: SweepPlan,
    engine: ScriptedEngine,
    path: string,
    candidates = own.candidates,
  ): Promise<Seen> => {
    const journal = await Journal.open(path);
    const rows: Seen["rows"] = [];
    const onRow: Evaluation["onRow"] = (row, candidate, now) => void rows.push([row.sampleId, candidate.number, now]);
    try {
      const evaluation: Evaluation = { plan: own, inputs, engine, journal, pieces, signal: undefined, onRow };
      return { answers: await evaluate(evaluation, candidates, own.selection), rows };
    } finally {
      await journal.close();
    }
  };

  it("are generated where they are missing, and nowhere else; the neighbour's are tried first", async () => {
    const own = planFor(alone);
    const [first] = own.candidates;
    const path = newJournal();
    await evaluateWith(own, scriptedEngine(), path, [first!]);
    const text = (await readFile(path, "utf8")).split("\n");
    // One answer of K = 1 gets lost.
    await writeFile(path, text.filter((line) => !line.includes('"s2"')).join("\n"));
    const engine = scriptedEngine();
    const { rows } = await evaluateWith(own, engine, path);
    expect(engine.waves).toEqual([["s2"], ["s0", "s1", "s2", "s3", "s4"]]);
    expect(rows.filter(([, boundary, now]) => boundary === 1 && now)).toEqual([["s2", 1, true]]);
    expect(rows).toHaveLength(10);
    const drafts = engine.requests[1]?.prompts.map((prompt) => prompt.drafts);
    expect(drafts?.filter((draft) => draft !== undefined).length).toBeGreaterThanOrEqual(4);
    expect(drafts?.[0]).toEqual([[1, 2]]);
    expect(engine.requests.every(({ invariantTokens }) => invariantTokens === 256)).toBe(true);
  });

  it("are asked for under all boundaries at once where layers are shared, and only what is missing", async () => {
    const all = { ...inputs, boundaries: [0, 1, 2, 3, 4] };
    const own = planWith(all, { maxTokens: 8 }, undefined, { ...alone, sharedLayers: true });
    const path = newJournal();
    const engine = scriptedEngine();
    const cut = partition(
      inputs.adapter.modules,
      own.candidates.map(({ mask }) => mask),
    ).map((group, i): Piece => ({ path: `p${i}`, modules: group.map(({ name }) => name) }));
    const journal = await Journal.open(path);
    const seen: string[] = [];
    const evaluation: Evaluation = {
      ...{ plan: own, inputs, engine, journal, pieces: cut, signal: undefined },
      onRow: (row, { number: boundary }, now) => void seen.push(`${boundary} ${row.sampleId} ${now}`),
    };
    const answers = await evaluate(evaluation, own.candidates, own.selection);
    expect(engine.waves).toEqual([]);
    expect(engine.sharedRequests).toHaveLength(1);
    expect(engine.sharedRequests[0]?.boundaries.map(({ boundary }) => boundary)).toEqual([0, 1, 2, 3, 4]);
    expect(engine.sharedRequests[0]?.full.map((piece) => piece.path)).toEqual(["p0", "p1", "p2", "p3"]);
    expect(answers.map(({ candidate, rows }) => [candidate.number, rows[0]?.output])).toEqual([
      [0, ":s0"],
      [1, "p0:s0"],
      [2, "p0+p1:s0"],
      [3, "p0+p1+p2:s0"],
      [4, "p0+p1+p2+p3:s0"],
    ]);
    expect(new Set(seen).size).toBe(25);
    await evaluate(evaluation, own.candidates, own.selection);
    expect(engine.sharedRequests).toHaveLength(1);
    await journal.close();
  });

  it("are not asked for at once where that would cost more", async () => {
    const own = planFor({ ...alone, sharedLayers: true });
    const engine = scriptedEngine();
    // K = 1 and K = 3 of 4 layers: a full pass and four layers more are no less than two passes.
    await evaluateWith(own, engine, newJournal());
    expect(engine.sharedRequests).toEqual([]);
    expect(engine.waves).toHaveLength(2);
  });
});
