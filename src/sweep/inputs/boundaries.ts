import { UsageError } from "../../errors.js";

/**
 * Parses a list of boundaries: `all`, single values, ranges `A-B` and ranges with a step `A-B:S`, separated by commas; `full` is L.
 * Both ends of a range are included.
 * @returns ascending, without repeats.
 * @throws UsageError when a part cannot be read or lies outside 0..L.
 */
export function parseBoundaries(text: string, layerCount: number): number[] {
  if (text.trim() === "all") return Array.from({ length: layerCount + 1 }, (_, boundary) => boundary);
  const boundaries = text.split(",").flatMap((part) => parsePart(part.trim(), layerCount));
  return [...new Set(boundaries)].sort((a, b) => a - b);
}

function parsePart(part: string, layerCount: number): number[] {
  const match = /^(\d+|full)(?:-(\d+|full)(?::(\d+))?)?$/.exec(part);
  if (match?.[1] === undefined) throw notReadable(part);
  const first = parseBoundary(match[1], layerCount, part);
  if (match[2] === undefined) return [first];
  const last = parseBoundary(match[2], layerCount, part);
  const step = match[3] === undefined ? 1 : Number(match[3]);
  if (last < first || step < 1) throw notReadable(part);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
}

function parseBoundary(word: string, layerCount: number, part: string): number {
  const boundary = word === "full" ? layerCount : Number(word);
  if (boundary <= layerCount) return boundary;
  throw new UsageError({
    what: "boundary out of range",
    actual: JSON.stringify(part),
    expected: `0 (the base model) to ${layerCount} (the full adapter), the model has ${layerCount} layers`,
    fix: "`full` always stands for the last one.",
  });
}

function notReadable(part: string): UsageError {
  return new UsageError({
    what: "cannot read the boundaries",
    actual: JSON.stringify(part),
    expected: "all, a number, a range such as 0-30 or a range with a step such as 0-30:5, separated by commas",
  });
}
