import type { ScaledPiece } from "../adapter/pieces.js";
import { ApiError } from "./api-error.js";
import type { ServedModel, OfferedModel } from "./served-model.js";

/** A boundary as clients name it where it has no name of its own. */
const BY_BOUNDARY = /^boundary-(\d{1,6})$/;

/** What a request asked for: a boundary, the name under which it is told and counted, and its pieces. */
export interface AskedModel {
  /** `base`, `full`, `trimmed` or `boundary-K`. */
  readonly name: string;
  readonly boundary: number;
  readonly pieces: readonly ScaledPiece[];
}

/**
 * The mask that a request asks for by `model` and, on the full adapter, by `boundary`.
 * @throws ApiError 404 for an unknown model, 400 for a boundary that is none.
 */
export function askedModel(served: ServedModel, model: string, boundary: number | undefined): AskedModel {
  const known = served.models.find(({ id }) => id === model);
  const named = BY_BOUNDARY.exec(model)?.[1];
  if (!known && named === undefined) throw unknownModel(served, model);
  const fixed = known?.boundary ?? Number(named);
  if (boundary !== undefined && boundary !== fixed && model !== "full") {
    throw wrongBoundary(`With the model ${model}, \`boundary\` is ${fixed}; any other goes with the model full.`);
  }
  const asked = boundary ?? fixed;
  const { layerCount } = served.model;
  if (asked > layerCount) throw wrongBoundary(`The boundary is a whole number from 0 to ${layerCount}.`);
  const name = asked === fixed && known ? known.id : `boundary-${asked}`;
  return { name, boundary: asked, pieces: served.piecesOf(asked) };
}

/** One of the models offered. @throws ApiError 404 for an unknown one. */
export function offeredModel(served: ServedModel, id: string): OfferedModel {
  const model = served.models.find((model) => model.id === id);
  if (!model) throw unknownModel(served, id);
  return model;
}

function unknownModel(served: ServedModel, model: string): ApiError {
  const names = served.models.map(({ id }) => id).join(", ");
  return new ApiError({
    status: 404,
    message: `There is no model ${JSON.stringify(model.slice(0, 100))}. There are ${names}, and boundary-K for any K.`,
    param: "model",
    code: "model_not_found",
  });
}

function wrongBoundary(message: string): ApiError {
  return new ApiError({ status: 400, message, param: "boundary", code: "invalid_value" });
}
