import { z } from "zod";
import { JsonlLog } from "../files/jsonl-log.js";

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

/** The file in which a run keeps likelihoods, so that a resumed run weighs nothing twice. Lines that cannot be read are weighed again. */
export class LikelihoodFile {
  private constructor(
    private readonly log: JsonlLog,
    private readonly rows: Map<string, LikelihoodRow>,
  ) {}

  /** The file is made with its first row. @throws FileError when it is there and cannot be read. */
  static async open(path: string): Promise<LikelihoodFile> {
    const { log, rows } = await JsonlLog.open(path, parseRow, { isLazy: true });
    return new LikelihoodFile(log, new Map(rows.map((row) => [row.key, row])));
  }

  get(key: string): LikelihoodRow | undefined {
    return this.rows.get(key);
  }

  /** @throws FileError when the file cannot be written. */
  async add(rows: readonly LikelihoodRow[]): Promise<void> {
    for (const row of rows) this.rows.set(row.key, row);
    await this.log.append(...rows);
  }

  /** Waits for what is still being written, then closes the file. */
  close(): Promise<void> {
    return this.log.close();
  }
}

function parseRow(line: string): LikelihoodRow | undefined {
  try {
    return rowSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
