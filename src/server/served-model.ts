import { makeTemporaryFolder } from "../files/temporary-folder.js";
import { homedir } from "node:os";
import type { HashedAdapter } from "../adapter/adapter.js";
import { readBaseModel, withSha256, type HashedBaseModel } from "../adapter/base-model.js";
import { boundaryMask } from "../adapter/mask.js";
import { openAdapter } from "../adapter/open-adapter.js";
import { piecesOf, writePieces, type ScaledPiece } from "../adapter/pieces.js";
import { resolveAdapterPath, resolveModelPath } from "../engine/resolve-model.js";
import { RunFolderError, UsageError } from "../errors.js";
import { exists } from "../files/atomic-file.js";
import { chatTemplateBy, type NamedTemplate } from "../tasks/chat-templates.js";
import { assertBoundaries, loadRun, type FinishedRun } from "../run/load-run.js";

/** A model as clients know it: a boundary with a name. */
export interface OfferedModel {
  readonly id: "base" | "full" | "trimmed";
  readonly boundary: number;
}

/** What a server offers: a base model with an adapter at every boundary. */
export interface ServedModel {
  /** With the chat template that messages are put into, the model's own or another. */
  readonly model: HashedBaseModel;
  /** What ends an answer under that template, besides the model's own end of a turn. */
  readonly stop: readonly string[];
  readonly adapter: HashedAdapter;
  readonly models: readonly OfferedModel[];
  /** The sweep whose choice is offered as `trimmed`. */
  readonly run: FinishedRun | undefined;
  /** The pieces that the adapter is at boundary K, 0 <= K <= L. */
  piecesOf(boundary: number): readonly ScaledPiece[];
  /** Removes the files of the pieces. They are not needed once the engine has loaded them all. */
  close(): Promise<void>;
}

/** What to offer: a base model and an adapter, or a finished sweep, whose paths the other two replace. */
export interface OfferSource {
  readonly run?: string | undefined;
  readonly model?: string | undefined;
  readonly adapter?: string | undefined;
  /** Name or file of the chat template that takes the place of the model's; by default the one of the sweep. */
  readonly chatTemplate?: string | undefined;
}

/**
 * Reads and checks what is to be offered; no native code runs. Close it afterwards.
 * @throws a BoundaryError that names the first thing that is wrong.
 */
export async function openServedModel(source: OfferSource): Promise<ServedModel> {
  const run = source.run === undefined ? undefined : await loadRun(source.run);
  if (run) assertBoundaries(run, "serve its boundaries");
  const own = await withSha256(await readBaseModel(await resolveModelPath(await pathOf("model", source, run))));
  const template = await templateOf(source, run);
  const model = template ? { ...own, chatTemplate: template.source } : own;
  if (run) assertSameModel(model, run);
  const opened = await openAdapter(await resolveAdapterPath(await pathOf("adapter", source, run)), model);
  try {
    if (run) assertSameAdapter(opened.adapter, run);
    const offer = await offerOf(model, opened.adapter, run, opened.close);
    return { ...offer, stop: template?.stop ?? [] };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function offerOf(
  model: HashedBaseModel,
  adapter: HashedAdapter,
  run: FinishedRun | undefined,
  closeAdapter: () => Promise<void>,
): Promise<Omit<ServedModel, "stop">> {
  const { layerCount } = model;
  const folder = await makeTemporaryFolder("serve");
  const close = async (): Promise<void> => {
    await folder.remove();
    await closeAdapter();
  };
  try {
    const masks = Array.from({ length: layerCount + 1 }, (_, boundary) => {
      return boundaryMask(adapter.modules, layerCount, boundary);
    });
    const pieces = await writePieces(adapter, masks, folder.path);
    const byBoundary = masks.map((mask) => piecesOf(mask, pieces));
    const piecesOfBoundary = (boundary: number): readonly ScaledPiece[] => {
      const found = byBoundary[boundary];
      if (!found) throw new RangeError(`boundary ${boundary} of ${layerCount} layers`);
      return found;
    };
    return { model, adapter, models: modelsOf(layerCount, run), run, piecesOf: piecesOfBoundary, close };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function modelsOf(layerCount: number, run: FinishedRun | undefined): OfferedModel[] {
  return [
    { id: "base", boundary: 0 },
    { id: "full", boundary: layerCount },
    ...(run ? [{ id: "trimmed" as const, boundary: run.result.choice.boundary }] : []),
  ];
}

async function templateOf(source: OfferSource, run: FinishedRun | undefined): Promise<NamedTemplate | undefined> {
  const recorded = run?.result.config["chat-template"];
  const name = source.chatTemplate ?? (typeof recorded === "string" ? recorded : undefined);
  return name === undefined ? undefined : chatTemplateBy(name);
}

/** A path as it was given or, with `~` for the home folder, as the sweep was given it. */
async function pathOf(which: "model" | "adapter", source: OfferSource, run: FinishedRun | undefined): Promise<string> {
  const given = source[which];
  if (given !== undefined) return given;
  if (!run) {
    throw new UsageError({
      what: `--${which} is missing`,
      fix: "Give --model and --adapter, or the folder of a finished sweep: `boundary serve runs/first`.",
    });
  }
  const recorded = run.result[which].path.replace(/^~(?=$|[\\/])/, homedir());
  const isAddress = /^[a-z]+:/i.test(recorded);
  if (isAddress || (await exists(recorded))) return recorded;
  throw new UsageError({
    what: `the sweep's ${which} is not where it was`,
    actual: `no ${recorded}`,
    fix: `Pass --${which} PATH, or start where the sweep was started.`,
  });
}

function assertSameModel({ path, sha256 }: HashedBaseModel, { folder, result }: FinishedRun): void {
  if (sha256 !== result.model.sha256) throw otherFile(folder, "model", path, sha256, result.model.sha256);
}

function assertSameAdapter({ path, sha256 }: HashedAdapter, { folder, result }: FinishedRun): void {
  if (sha256 !== result.adapter.sha256) throw otherFile(folder, "adapter", path, sha256, result.adapter.sha256);
}

function otherFile(folder: string, which: string, path: string, actual: string, expected: string): RunFolderError {
  return new RunFolderError(folder, {
    what: `${path} is not the ${which} of the sweep in ${folder}`,
    actual: `SHA-256 ${actual.slice(0, 12)}...`,
    expected: `${expected.slice(0, 12)}...`,
    fix: `Pass the sweep's own --${which}, or serve without the sweep: boundary serve --model ... --adapter ...`,
  });
}
