import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  arrowsBetweenFiles,
  arrowsBetweenRooms,
  circlesOf,
  importsOf,
  levelOf,
  readImports,
  roomOf,
  targetOf,
  type Arrow,
  type Import,
} from "../eval/import-graph.mjs";

/** Packages with native code, which only the engine may load. */
const NATIVE = /^(node-llama-cpp|@node-llama-cpp\/.*|koffi)$/;

/** The one file that loads code of the user's own. */
const USER_CODE = "cli/import-modules.ts";

/** Why an import is against the order, or undefined where it is not. */
function objection({ from, specifier }: Import): string | undefined {
  const room = roomOf(from);
  if (levelOf(room) < 0) return `${from}: the room ${room} has no level`;
  if (specifier === "(computed)")
    return from === USER_CODE ? undefined : `${from}: imports what only shows at run time`;
  if (!specifier.startsWith(".")) {
    return NATIVE.test(specifier) && room !== "engine" ? `${from}: only src/engine may load ${specifier}` : undefined;
  }
  const target = targetOf({ from, specifier });
  const targetRoom = roomOf(target);
  if (target.startsWith("..") || levelOf(targetRoom) < 0) return `${from}: ${specifier} leads to no room`;
  if (targetRoom === room || levelOf(targetRoom) > levelOf(room)) return undefined;
  return `${from}: ${room} may not import ${targetRoom} (${specifier})`;
}

const graph = readImports(fileURLToPath(new URL("../src", import.meta.url)));
const { files, imports } = graph;
const arrows = arrowsBetweenFiles(graph);

describe("the rooms of src", () => {
  it("are all found, and read", () => {
    expect(files).toEqual(expect.arrayContaining(["errors.ts", "sweep/sweep.ts", "engine/engine.ts", "cli/main.ts"]));
    expect(imports.length).toBeGreaterThan(100);
    expect(dirname(files.find((file) => file.endsWith("gguf-reader.ts")) ?? "")).toBe("formats");
  });

  it("import downwards only, as LEVELS of eval/import-graph.mjs has them", () => {
    expect(imports.map(objection).filter((words) => words !== undefined)).toEqual([]);
  });

  it("hold no circle of imports, between files or between rooms, types included", () => {
    expect(arrows.length).toBeGreaterThan(1000);
    expect(circlesOf(arrows)).toEqual([]);
    expect(circlesOf(arrowsBetweenRooms(arrows))).toEqual([]);
  });

  it("reach native code through the engine alone", () => {
    const native = imports.filter(({ specifier }) => NATIVE.test(specifier));
    expect(native.length).toBeGreaterThan(0);
    expect([...new Set(native.map(({ from }) => roomOf(from)))]).toEqual(["engine"]);
  });
});

describe("the check itself", () => {
  const objections = (from: string, source: string): (string | undefined)[] => importsOf(from, source).map(objection);

  it.each([
    ["adapter/a.ts", 'import { b } from "../sweep/b.js";', "adapter may not import sweep"],
    ["adapter/a.ts", 'import type { B } from "../tasks/b.js";', "adapter may not import tasks"],
    ["server/a.ts", 'export { b } from "../report/b.js";', "server may not import report"],
    ["formats/a.ts", 'export * from "../adapter/b.js";', "formats may not import adapter"],
    ["choice/a.ts", 'import type { B } from "../run/b.js";', "choice may not import run"],
    ["errors.ts", 'import "./version.js";', "errors may not import version"],
    ["engine/a.ts", 'const b = await import("../cli/b.js");', "engine may not import cli"],
    ["tasks/a.ts", 'type B = import("../engine/b.js").B;', "tasks may not import engine"],
    ["index.ts", 'export { main } from "./cli/main.js";', "index may not import cli"],
    ["cli/a.ts", 'import { getLlama } from "node-llama-cpp";', "only src/engine may load node-llama-cpp"],
    ["cli/a.ts", 'const k = require("koffi");', "only src/engine may load koffi"],
    ["cli/a.ts", "const b = await import(name);", "only shows at run time"],
    ["attic/a.ts", 'import "./b.js";', "attic has no level"],
    ["cli/a.ts", 'import x from "../../package.json";', "leads to no room"],
  ])("objects in %s to %s", (from, source, words) => {
    expect(objections(from, source)).toEqual([expect.stringContaining(words)]);
  });

  it.each<{ arrows: Arrow[]; circles: string[][] }>([
    {
      arrows: [
        ["a", "b"],
        ["b", "a"],
        ["b", "c"],
      ],
      circles: [["a", "b"]],
    },
    {
      arrows: [
        ["a", "b"],
        ["b", "c"],
        ["c", "a"],
        ["d", "a"],
        ["e", "f"],
        ["f", "e"],
      ],
      circles: [
        ["a", "b", "c"],
        ["e", "f"],
      ],
    },
    {
      arrows: [
        ["a", "b"],
        ["a", "c"],
        ["b", "d"],
        ["c", "d"],
      ],
      circles: [],
    },
  ])("finds the circles $circles", ({ arrows: given, circles }) => {
    expect(circlesOf(given)).toEqual(circles);
  });

  it.each([
    ["cli/main.ts", 'const library = await import("../index.js");'],
    ["sweep/a.ts", 'import { b } from "./b.js"; import { version } from "../version.js";'],
    ["engine/a.ts", 'import { getLlama } from "node-llama-cpp"; import type { P } from "../adapter/pieces.js";'],
    ["formats/a.ts", 'import { open } from "node:fs/promises"; import { FormatError } from "../errors.js";'],
  ])("does not object in %s to %s", (from, source) => {
    expect(objections(from, source).filter((words) => words !== undefined)).toEqual([]);
    expect(objections(from, source).length).toBeGreaterThan(0);
  });
});

describe("the scripts of eval", () => {
  const folder = fileURLToPath(new URL("../eval", import.meta.url));
  const scripts = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".mjs"));
  const uses = scripts.flatMap((script) => {
    const text = readFileSync(join(folder, script), "utf8");
    const found = text.matchAll(/\{([^{}]*)\}\s*(?:=\s*await from\(|from\s+)"(?:(?:\.\.\/)+dist\/)?([\w/-]+)\.js"/g);
    return [...found].map(([, names = "", path = ""]) => ({ script, names: names.match(/\w+/g) ?? [], path }));
  });

  it("take from the build what the sources export", () => {
    expect(uses.length).toBeGreaterThan(30);
    for (const { script, names, path } of uses) {
      const source = join(folder, "../src", `${path}.ts`);
      expect([script, path, existsSync(source)]).toEqual([script, path, true]);
      const text = readFileSync(source, "utf8");
      for (const name of names.filter((one) => one !== "as")) {
        const isExported = new RegExp(`export (async )?(const|function|class) ${name}\\b|export \\{[^}]*\\b${name}\\b`);
        expect([script, path, name, isExported.test(text)]).toEqual([script, path, name, true]);
      }
    }
  });
});
