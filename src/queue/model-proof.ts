import { withSha256, type BaseModel } from "../adapter/base-model.js";
import { QueueError } from "../errors.js";
import { InputFiles } from "../files/input-files.js";
import { fingerprintOf, sampledHash, type ModelFingerprint } from "./fingerprint.js";

/** A worker's model is not the one that it has announced. */
export class OtherModelError extends QueueError {}

/** What a worker has said of its model, and whether that still holds: its files may be replaced or written over while it runs. */
export class ModelProof {
  private constructor(
    private readonly model: BaseModel,
    readonly fingerprint: ModelFingerprint,
    /** Of all bytes, where the worker was asked for it. */
    readonly sha256: string | undefined,
    /** By the hash that was announced: of all bytes, or of samples. */
    private readonly files: InputFiles,
  ) {}

  /** @throws FileError, FormatError when a file of the model cannot be read; InputChangedError when it changed since its header was read. */
  static async of(model: BaseModel, fullHash: boolean): Promise<ModelProof> {
    const fingerprint = await fingerprintOf(model);
    if (!fullHash)
      return new ModelProof(model, fingerprint, undefined, new InputFiles(fingerprint.sources, sampledHash));
    const whole = await withSha256(model);
    return new ModelProof(model, fingerprint, whole.sha256, new InputFiles(whole.sources));
  }

  /**
   * Looks at size, times and inode of the model's files; where one has moved, at its content.
   * @throws OtherModelError when it is another model by now, or a file is gone.
   */
  async assertSame(): Promise<void> {
    await this.files.assertUnchanged().catch((cause: unknown) => {
      throw otherModel(this.model, cause);
    });
  }

  /** @param logits of the trial, from an engine that was opened again. @throws OtherModelError when they differ from those announced. */
  assertLogits(announced: string, logits: string): void {
    if (announced !== logits) throw otherModel(this.model);
  }
}

function otherModel({ path }: BaseModel, cause?: unknown): OtherModelError {
  return new OtherModelError({
    what: `${path} is not the model any more that this worker has announced: its file was replaced, written over or removed`,
    fix: "The worker has withdrawn. Start it again to announce the model that is there now.",
    cause,
  });
}
