import { describe, expect, it } from "vitest";
import type { Generation } from "../../src/engine/engine.js";
import { QueueError } from "../../src/errors.js";
import { AnswerRequest, type AnswerSettings } from "../../src/queue/answer-request.js";
import { AnswerRequests, type JobSize } from "../../src/queue/answer-requests.js";
import { composeJob } from "../../src/queue/compose-job.js";
import { digest } from "../../src/files/digest.js";
import { Seal } from "../../src/queue/seal.js";
import { entryText, LIMITS, parseEntry, parseJob } from "../../src/queue/messages.js";
import { failureOf } from "../support/failure.js";
import { askSettingsFor, layerMasks, layerPieces } from "./answer-requests.js";

function asksOf(
  count: number,
  own: AnswerSettings = askSettingsFor(),
  take: AnswerRequest["take"] = () => true,
): AnswerRequest[] {
  return Array.from({ length: count }, (_, i) => {
    return new AnswerRequest(own, [{ id: `s${i}`, tokens: [1, 2, i], sha256: digest(`tokens ${i}`) }], take);
  });
}

function generation(id: string): Generation {
  const times = { prefillMs: 1, decodeMs: 1, decodedTokens: 1 };
  return { id, text: "a", tokens: [5], stopReason: "eog", promptTokens: 3, ...times };
}

const job = (asks: readonly AnswerRequest[], shares = true): ReturnType<typeof composeJob> =>
  composeJob(asks, { run: "r", adapter: digest("adapter"), adapterBytes: 9, timeoutMs: 60_000 }, { shares });

describe("an ask", () => {
  it("ends when each prompt is answered under each mask, tells each answer once, and takes nothing else", async () => {
    const told: string[] = [];
    const [ask] = asksOf(1, askSettingsFor(), (boundary, { id }) => Boolean(told.push(`${id} ${boundary}`)));
    if (!ask) throw new Error("no ask");
    expect(ask.take(2, generation("s0"))).toBe(false);
    expect(ask.take(0, generation("s1"))).toBe(false);
    for (const boundary of [0, 1, 1, 0]) expect(ask.take(boundary, generation("s0"))).toBe(true);
    expect(ask.isEnded).toBe(false);
    ask.take(3, generation("s0"));
    await ask.whenEnded();
    expect(told).toEqual(["s0 0", "s0 1", "s0 3"]);
  });

  it("has a key of all that decides its answers", () => {
    const keyOf = (own: AnswerSettings): string => asksOf(1, own)[0]?.key ?? "";
    const others = [
      { maxTokens: 9 },
      { stop: [] },
      { full: undefined },
      { invariantTokens: 0 },
      { masks: layerMasks.slice(1) },
    ];
    const keys = [{}, ...others].map((more) => keyOf(askSettingsFor(more)));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf(askSettingsFor())).toBe(keys[0]);
  });
});

describe("the size of a job", () => {
  const size = (more: Partial<JobSize>): JobSize => {
    return { secondsPerCost: undefined, guessedSecondsPerCost: 1e-3, workers: 2, ...more };
  };
  const taken = (count: number, more: Partial<JobSize>): number[] => {
    const pool = new AnswerRequests();
    pool.add(asksOf(count));
    const sizes: number[] = [];
    for (let some = pool.take(size(more)); some.length > 0; some = pool.take(size(more))) sizes.push(some.length);
    return sizes;
  };
  /** Three tokens through the full model, the base and two thirds of it; three answers of eight tokens, each as dear as three read. */
  const COST = 3 * (1 + 1 + 2 / 3) + 3 * 8 * 3;

  it("is some tens of seconds by what was measured, in whole batches, and smaller near the end", () => {
    const sizes = taken(1000, { secondsPerCost: 0.2 / COST });
    expect(sizes[0]).toBe(100);
    expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(1000);
    expect(sizes.slice(0, -3).every((one) => one % 4 === 0)).toBe(true);
    expect(sizes.at(-1)).toBeLessThanOrEqual(4);
  });

  it("goes by the workers' own trial before anything was measured", () => {
    expect(taken(1000, { guessedSecondsPerCost: 0.4 / COST })[0]).toBe(48);
  });

  it("is longer where it would not fill a batch", () => {
    expect(taken(100, { secondsPerCost: 15 / COST })[0]).toBe(4);
    expect(taken(100, { secondsPerCost: 40 / COST })[0]).toBe(2);
  });

  it("is one sample where one takes longer than a job should", () => {
    expect(taken(5, { secondsPerCost: 60 / COST })).toEqual([1, 1, 1, 1, 1]);
  });

  it("leaves something for every worker", () => {
    expect(taken(6, { secondsPerCost: 1e-6, workers: 6 })).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

describe("a job", () => {
  it("lists each piece once and holds waves of at most as many prompts as there are sequences", () => {
    const made = job(asksOf(6));
    expect(made.pieces.map(({ sha256 }) => sha256)).toEqual(layerPieces.map(({ piece }) => piece.sha256));
    expect(made.settings).toHaveLength(1);
    expect(made.settings[0]?.masks.map((mask) => mask.pieces)).toEqual([
      [],
      [[0, 1]],
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
    ]);
    expect(made.waves.map(({ prompts }) => prompts.map(({ id }) => id))).toEqual([
      ["s0", "s1", "s2", "s3"],
      ["s4", "s5"],
    ]);
    expect(parseJob(JSON.parse(JSON.stringify(made)))).toEqual(made);
  });

  it("keeps a wave whole where company counts, and answers boundaries one by one where workers cannot share layers", () => {
    const own = askSettingsFor({ invariantTokens: undefined });
    const prompts = ["a", "b", "c"].map((id) => ({ id, tokens: [1], sha256: digest(id) }));
    const asks = [
      new AnswerRequest(own, prompts, () => undefined),
      new AnswerRequest(own, prompts.slice(1), () => undefined),
    ];
    expect(job(asks).waves.map((wave) => wave.prompts.length)).toEqual([3, 2]);
    expect(job(asks).settings[0]?.full).toBeDefined();
    expect(job(asks, false).settings[0]?.full).toBeUndefined();
  });

  it("is refused where it is not what it must be", async () => {
    const good = JSON.parse(JSON.stringify(job(asksOf(1)))) as Record<string, unknown>;
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ adapter: "../../x" }, /adapter/],
      [{ path: "/etc/passwd" }, /path/],
      [{ timeoutMs: -1 }, /timeoutMs/],
      [{ waves: [] }, /waves/],
      [{ run: "x".repeat(LIMITS.job) }, /too large/],
    ];
    for (const [more, words] of wrong) {
      const { message } = await failureOf(QueueError, () => parseJob({ ...good, ...more }));
      expect(message).toMatch(words);
    }
    for (const nothing of [undefined, null, 7, "x", []]) await failureOf(QueueError, () => parseJob(nothing));
  });
});

describe("an answer of a worker", () => {
  it("is read as it was written, and refused where it is too large or wrong", async () => {
    const entry = { job: "j", worker: "w", rows: [{ ask: "k", boundary: 3, generation: generation("s0") }] };
    expect(parseEntry(Seal.none, "r", entryText(Seal.none, "r", entry))).toEqual(entry);
    const large = { ...entry, result: "x".repeat(LIMITS.entry) };
    expect((await failureOf(QueueError, () => entryText(Seal.none, "r", large))).message).toContain(
      `at most ${LIMITS.entry}`,
    );
    await failureOf(QueueError, () => parseEntry(Seal.none, "r", Seal.none.close(["entry", "r"], large)));
    await failureOf(QueueError, () => parseEntry(Seal.none, "r", "{"));
    await failureOf(QueueError, () =>
      parseEntry(Seal.none, "r", Seal.none.close(["entry", "r"], { ...entry, rows: [{ boundary: 3 }] })),
    );
  });
});
