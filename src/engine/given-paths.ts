import type { ScaledPiece } from "../adapter/pieces.js";
import type { HostCalls, HostMethod } from "./protocol.js";

type Params = HostCalls[HostMethod]["params"];

/** A message of the engine with the paths that the user gave in the place of temporary files: pieces of an adapter, a copy of a model. */
export function withGivenPaths(message: string, params: Params): string {
  return temporaryPaths(params)
    .sort(([a], [b]) => b.length - a.length)
    .reduce((text, [path, given]) => text.replaceAll(path, given), message);
}

function temporaryPaths(params: Params): [path: string, given: string][] {
  if (typeof params !== "object" || params === null) return [];
  if ("modelPath" in params) return params.givenPath === undefined ? [] : [[params.modelPath, params.givenPath]];
  return piecesIn(params).flatMap(({ path, paddedPath, givenPath }) => {
    if (givenPath === undefined) return [];
    return [path, ...(paddedPath === undefined ? [] : [paddedPath])].map((own): [string, string] => [own, givenPath]);
  });
}

function piecesIn(params: object): ScaledPiece[] {
  if (Array.isArray(params)) return params.filter(isPiece);
  return Object.entries(params).flatMap(([name, value]: [string, unknown]) => {
    if (name === "pieces" || name === "full") return piecesIn(Array.isArray(value) ? value : []);
    if (name === "boundary") return typeof value === "object" && value !== null ? piecesIn(value) : [];
    if (name === "boundaries") return Array.isArray(value) ? value.flatMap((one: object) => piecesIn(one)) : [];
    return [];
  });
}

function isPiece(value: unknown): value is ScaledPiece {
  return typeof value === "object" && value !== null && "path" in value;
}
