import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stableJson } from "../../src/files/stable-json.js";
import { redactedConfig } from "../../src/sweep/config.js";
import { type GivenSettings } from "../../src/settings.js";
import type { Part } from "../../src/samples/split.js";
import { rescore } from "../../src/sweep/rescore.js";
import type { SweepResult } from "../../src/run/result.js";
import { journalRow } from "../support/journal-row.js";
import { sweepResult } from "../support/sweep-result.js";

/** What a made-up run is to be like; what is not given is plain. */
export interface FinishedRunParts {
  /** L; every layer has one adapter module of 1000 bytes. */
  readonly layers?: number;
  /** Boundaries that were tried, ascending, from 0 to L. */
  readonly boundaries?: readonly number[];
  /** Samples of the selection and of the holdout. */
  readonly counts?: Readonly<Record<Part, number>>;
  /** What the model answers at a boundary; the reference is "Rome". */
  readonly answer?: (boundary: number, sample: number, part: Part) => string;
  readonly sample?: (sample: number, part: Part) => { readonly id?: string; readonly [variable: string]: unknown };
  /** Settings of the sweep that decide scores and choice. */
  readonly settings?: GivenSettings;
  /** Fields of the result that are put in place of what the scores give. */
  readonly result?: Partial<SweepResult>;
}

/** Right from more layers on for later samples; the topmost layer spoils the first sample. */
export function usualAnswer(boundary: number, sample: number, layers: number): string {
  if (boundary === 0) return `The answer is not known to sample ${sample}.`;
  if (boundary === layers && sample === 0) return "It is Paris today";
  return boundary > (sample % layers) / 2 ? "Rome" : "Paris";
}

/**
 * Writes the folder of a finished sweep that never ran: samples, journal and a result whose scores, choice and verdict are computed from
 * the answers, as `boundary score` would.
 */
export async function writeFinishedRun(folder: string, parts: FinishedRunParts = {}): Promise<SweepResult> {
  const { layers = 6, counts = { selection: 12, holdout: 10 }, settings = {} } = parts;
  const boundaries = parts.boundaries ?? Array.from({ length: layers + 1 }, (_, i) => i);
  const answer = parts.answer ?? ((boundary, sample) => usualAnswer(boundary, sample, layers));
  const samples = (["selection", "holdout"] as const).flatMap((part) =>
    Array.from({ length: counts[part] }, (_, i) => {
      const { id = `${part}-${i}`, ...variables } = parts.sample?.(i, part) ?? { question: `Where is number ${i}?` };
      const prompt = `prompt ${part} ${i}`;
      return {
        part,
        id,
        variables,
        references: ["Rome"],
        group: { kind: i % 2 === 0 ? "even" : "odd" },
        prompt,
        at: i,
      };
    }),
  );
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "samples.jsonl"),
    samples.map(({ at: _, ...row }) => `${JSON.stringify(row)}\n`).join(""),
  );
  const writeJournal = (holdout: readonly number[]): Promise<void> => {
    const rows = boundaries.flatMap((boundary) =>
      samples
        .filter(({ part }) => part === "selection" || holdout.includes(boundary))
        .map(({ id, part, at }) => {
          const output = answer(boundary, at, part);
          const key = `${boundary}-${part}-${id}`;
          return journalRow({ key, boundary, sampleId: id, part, output, tokens: [...output.split(" ").keys()] });
        }),
    );
    return writeFile(join(folder, "journal.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  };
  const write = (result: SweepResult): Promise<void> => writeFile(join(folder, "result.json"), stableJson(result));
  const score = async (): Promise<SweepResult> => rescore(folder, { rule: "best", ...settings });
  const plain = sweepResult();
  // Which parts a candidate answered is read from the result; what it scored there is not.
  const stub = (part: Part) => (counts[part] > 0 ? { [part]: plain.candidates[0]?.selection } : {});
  await write({
    ...plain,
    config: {
      ...plain.config,
      task: "qa",
      rule: "best",
      model: "base.gguf",
      adapter: "lora.gguf",
      data: "v.jsonl",
      ...redactedConfig(settings),
    },
    model: { ...plain.model, layers },
    adapter: {
      ...plain.adapter,
      modules: layers,
      coverage: Array.from({ length: layers }, (_, i) => i),
      bytes: 1000 * layers,
    },
    data: {
      ...plain.data,
      selection: samples.filter(({ part }) => part === "selection").map(({ id }) => id),
      holdout: samples.filter(({ part }) => part === "holdout").map(({ id }) => id),
    },
    candidates: boundaries.map((boundary) => ({
      boundary,
      boundaries: [boundary],
      keptModules: boundary,
      bytes: 1000 * boundary,
      ...stub("selection"),
    })),
    choice: { ...plain.choice, layers },
    timings: {
      ...plain.timings,
      speeds: boundaries.map((boundary) => ({
        boundary,
        prefillTokensPerSecond: 1000 - 10 * boundary,
        decodeTokensPerSecond: 100 - boundary,
      })),
    },
  });
  await writeJournal(boundaries);
  const first = await score();
  const kept = [0, layers, first.choice.boundary];
  await writeJournal(kept);
  await write({
    ...first,
    candidates: first.candidates.map((one) => (kept.includes(one.boundary) ? { ...one, ...stub("holdout") } : one)),
  });
  const scored = {
    ...(await score()),
    command: plain.command,
    notes: plain.notes,
    trimmed: plain.trimmed,
    ...parts.result,
  };
  await write(scored);
  return scored;
}
