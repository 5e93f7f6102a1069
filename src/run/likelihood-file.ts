import { appendFile } from "node:fs/promises";
import { z } from "zod";
import { fileError } from "../errors.js";
import { readOptionalText } from "../files/read-whole.js";

const rowSchema = z.strictObject({
  /** Hash of all that decides the value. */
  key: z.string(),
  /** Name of the mask. */
  mask: z.string().optional(),
  /** K, as earlier versions wrote it. */
  boundary: z.number().int().optional(),
  id: z.string(),
  /** In nats, over all tokens of the reference. */
  logProbability: z.number(),
  tokens: z.number().int(),
});

/** How probable a candidate finds a sample's reference. */
export type LikelihoodRow = z.output<typeof rowSchema>;

/** The append-only JSONL file in which a run keeps likelihoods, so that a resumed run weighs nothing twice. Lines that cannot be read are weighed again. */
export class LikelihoodFile {
  private constructor(
    private readonly path: string,
    private readonly rows: Map<string, LikelihoodRow>,
  ) {}

  /** @throws FileError when the file is there and cannot be read. */
  static async open(path: string): Promise<LikelihoodFile> {
    const text = (await readOptionalText(path)) ?? "";
    const rows = text.split("\n").flatMap((line) => parseRow(line));
    return new LikelihoodFile(path, new Map(rows.map((row) => [row.key, row])));
  }

  get(key: string): LikelihoodRow | undefined {
    return this.rows.get(key);
  }

  /** @throws FileError when the file cannot be written. */
  async add(rows: readonly LikelihoodRow[]): Promise<void> {
    if (rows.length === 0) return;
    for (const row of rows) this.rows.set(row.key, row);
    // A line break first: a killed run may have left half a line.
    await appendFile(this.path, `\n${rows.map((row) => JSON.stringify(row)).join("\n")}\n`).catch((cause: unknown) => {
      throw fileError(this.path, "write", cause);
    });
  }
}

function parseRow(line: string): LikelihoodRow[] {
  try {
    return [rowSchema.parse(JSON.parse(line))];
  } catch {
    return [];
  }
}
