import { stat } from "node:fs/promises";
import { withSha256, type BaseModel } from "../adapter/base-model.js";
import { fileError, QueueError } from "../errors.js";
import { fingerprintOf, type ModelFingerprint } from "./fingerprint.js";

/** A worker's model is not the one that it has announced. */
export class OtherModelError extends QueueError {}

/** What a worker has said of its model, and whether that still holds: its files may be replaced or written over while it runs. */
export class ModelProof {
  private constructor(
    private readonly model: BaseModel,
    readonly fingerprint: ModelFingerprint,
    /** Of all bytes, where the worker was asked for it. */
    readonly sha256: string | undefined,
    private identity: string,
  ) {}

  /** @throws FileError, FormatError when a file of the model cannot be read. */
  static async of(model: BaseModel, fullHash: boolean): Promise<ModelProof> {
    const identity = await identityOf(model);
    const sha256 = fullHash ? (await withSha256(model)).sha256 : undefined;
    return new ModelProof(model, await fingerprintOf(model), sha256, identity);
  }

  /**
   * Looks at size, time and inode of the model's files; where one has moved, at its content.
   * @throws OtherModelError when it is another model by now, or a file is gone.
   */
  async assertSame(): Promise<void> {
    const identity = await identityOf(this.model).catch(() => undefined);
    if (identity === this.identity) return;
    const now = await ModelProof.of(this.model, this.sha256 !== undefined).catch(() => undefined);
    if (now?.fingerprint.sampled !== this.fingerprint.sampled || now.sha256 !== this.sha256)
      throw otherModel(this.model);
    this.identity = now.identity;
  }

  /** @param logits of the trial, from an engine that was opened again. @throws OtherModelError when they differ from those announced. */
  assertLogits(announced: string, logits: string): void {
    if (announced !== logits) throw otherModel(this.model);
  }
}

/** Device, inode, size and time of change of each file. */
async function identityOf({ files }: BaseModel): Promise<string> {
  const facts = await Promise.all(
    files.map(async (file) => {
      const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true }).catch((cause: unknown) => {
        throw fileError(file, "read", cause);
      });
      return [dev, ino, size, mtimeNs].join(" ");
    }),
  );
  return facts.join("\n");
}

function otherModel({ path }: BaseModel): OtherModelError {
  return new OtherModelError({
    what: `${path} is not the model any more that this worker has announced: its file was replaced, written over or removed`,
    fix: "The worker has withdrawn. Start it again to announce the model that is there now.",
  });
}
