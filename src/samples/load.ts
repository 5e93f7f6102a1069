import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SampleError, UsageError, fileError } from "../errors.js";
import { decodeText, parseDocument } from "./document.js";
import { isHotpotRow, sampleFromHotpot } from "./hotpot.js";
import { sampleFromRow } from "./jsonl.js";
import type { Place, PlacedRow } from "./place.js";
import type { LoadOptions, LoadedSamples, Sample, SampleFormat } from "./sample.js";
import { samplesFromSquad, type PlacedSample } from "./squad.js";

interface ReadSamples {
  readonly format: SampleFormat;
  readonly placed: readonly PlacedSample[];
  readonly notes?: readonly string[];
}

/**
 * Reads and checks a file of samples; the format is detected from its content.
 *
 * Throws FileError when the file cannot be read, {@link SampleError} (with path, line and field as far as they are known)
 * when its content is not usable, {@link UsageError} for options that cannot be.
 */
export async function loadSamples(path: string, options: LoadOptions = {}): Promise<LoadedSamples> {
  const { limit } = options;
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1)) {
    throw new UsageError({
      what: "the limit of samples is wrong",
      actual: String(limit),
      expected: "a whole number from 1",
    });
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError(path, "read", cause);
  });
  const { format, placed, notes = [] } = readSamples(path, decodeText(path, bytes), options);
  assertDistinctIds(path, placed);
  const samples = placed.map(({ sample }) => sample);
  return {
    format,
    path,
    samples: limit === undefined ? samples : samples.slice(0, limit),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    notes,
  };
}

function readSamples(path: string, text: string, { map = {}, context = "supporting" }: LoadOptions): ReadSamples {
  const isMapped = Object.keys(map).length > 0;
  const document = parseDocument(path, text);
  if (document.kind === "squad") {
    if (isMapped) {
      throw new UsageError({
        what: "--map does not go with this file",
        actual: `${path} in SQuAD's layout`,
        expected: "JSONL",
        fix: "Leave --map out: the fields of this layout are known.",
      });
    }
    return samplesFromSquad(path, document.value);
  }
  if (!isMapped && isHotpotRow(document.rows[0]?.value)) return readHotpot(document.rows, context);
  return {
    format: "jsonl",
    placed: document.rows.map((row) => ({ place: row.place, sample: sampleFromRow(row, map) })),
  };
}

function readHotpot(rows: readonly PlacedRow[], context: "supporting" | "all"): ReadSamples {
  const read = rows.map((row) => ({ place: row.place, ...sampleFromHotpot(row, context) }));
  const lacking = read.filter(({ supporting }) => supporting.found < supporting.listed);
  const empty = lacking.filter(({ supporting }) => supporting.found === 0);
  const note =
    `${lacking.length} of ${read.length} samples lack some of their supporting sentences` +
    (empty.length > 0 ? `, ${empty.length} of them all (their context is empty)` : "") +
    ": the file's paragraphs do not hold them.";
  return { format: "hotpotqa", placed: read, notes: context === "supporting" && lacking.length > 0 ? [note] : [] };
}

function assertDistinctIds(path: string, placed: readonly { place: Place; sample: Sample }[]): void {
  const seen = new Map<string, Place>();
  for (const { place, sample } of placed) {
    const earlier = seen.get(sample.id);
    if (earlier !== undefined) {
      throw new SampleError(
        { path, sampleId: sample.id, ...(place.line === undefined ? {} : { line: place.line }) },
        {
          what: `${path}: two samples have one id`,
          actual: `${JSON.stringify(sample.id)} in ${earlier.label} and in ${place.label}`,
          expected: "an id of its own for each sample",
          fix: "Rename one of the two, take it out, or leave the ids out altogether.",
        },
      );
    }
    seen.set(sample.id, place);
  }
}
