import { basename, extname } from "node:path";
import { UsageError } from "../errors.js";

/** One thing under comparison: what answers the samples, or a finished run that has answered them. */
export type System = { readonly name: string } & (
  | { readonly kind: "base" }
  | { readonly kind: "full" }
  | { readonly kind: "boundary"; readonly boundary: number }
  | { readonly kind: "adapter"; readonly path: string }
  | { readonly kind: "run"; readonly folder: string; readonly which: string }
);

/**
 * Reads what is to be compared: `base`, `full`, `K=20`, the path of an adapter, or a run's folder with `#base`, `#full`, `#chosen` or
 * `#K=20`. Names are unique: a second adapter of the same name gets a number.
 * @param hasAdapter whether there is an adapter that `full` and `K=20` could stand for.
 * @throws UsageError for less than two systems, and for `full` or `K=20` without an adapter.
 */
export function parseSystems(texts: readonly string[], hasAdapter: boolean): System[] {
  const taken = new Set<string>();
  const systems = texts.map((text) => {
    const system = parseSystem(text);
    if (!hasAdapter && (system.kind === "full" || system.kind === "boundary")) {
      throw new UsageError({
        what: `${JSON.stringify(text)} says nothing without an adapter`,
        expected: "--adapter, or a run's folder such as runs/first#full",
      });
    }
    let { name } = system;
    for (let number = 2; taken.has(name); number++) name = `${system.name}-${number}`;
    taken.add(name);
    return { ...system, name };
  });
  if (systems.length >= 2) return systems;
  throw new UsageError({
    what: "nothing to compare with",
    actual: texts.join(", "),
    expected: "at least two of base, full, K=..., adapters and runs",
    fix: "Name the others with --against.",
  });
}

function parseSystem(text: string): System {
  if (text === "base" || text === "full") return { name: text, kind: text };
  const boundary = /^K=(\d{1,6})$/i.exec(text)?.[1];
  if (boundary !== undefined) return { name: `K=${Number(boundary)}`, kind: "boundary", boundary: Number(boundary) };
  const run = /^(.+)#(base|full|chosen|K=\d{1,6})$/.exec(text);
  if (run?.[1] !== undefined && run[2] !== undefined) {
    return { name: `${basename(run[1])}#${run[2]}`, kind: "run", folder: run[1], which: run[2] };
  }
  return { name: basename(text, extname(text)), kind: "adapter", path: text };
}
