import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../src", import.meta.url));

/** The rooms from the highest level to the lowest; rooms of one level do not know each other. */
const LEVELS: readonly (readonly string[])[] = [
  ["index"],
  ["cli"],
  ["vote"],
  ["server", "report"],
  ["compare", "probe"],
  ["sweep", "judge"],
  ["strategy", "queue"],
  ["engine", "tasks", "statistics"],
  ["metrics", "samples", "adapter"],
  ["formats"],
  ["assert", "errors", "version"],
];

/** Packages with native code, which only the engine may load. */
const NATIVE = /^(node-llama-cpp|@node-llama-cpp\/.*|koffi)$/;

interface Import {
  /** Path of the importing file below src, with slashes. */
  readonly from: string;
  /** What is imported, as it is written. */
  readonly specifier: string;
}

/** Every `import`, `export ... from`, `import(...)`, `require(...)` and `import("...")` type in a file. */
function importsOf(from: string, source: string): Import[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      if (ts.isStringLiteral(node.moduleSpecifier)) found.push(node.moduleSpecifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) found.push(node.argument.literal.text);
    } else if (ts.isCallExpression(node)) {
      const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
      const isRequire = ts.isIdentifier(node.expression) && node.expression.text === "require";
      const [first] = node.arguments;
      if (isImport || isRequire) found.push(first && ts.isStringLiteralLike(first) ? first.text : "(computed)");
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(from, source, ts.ScriptTarget.Latest, true));
  return found.map((specifier) => ({ from, specifier }));
}

/** The room of a file below src: its folder, or its own name where it lies in none. */
function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.[jt]s$/, "");
}

function levelOf(room: string): number {
  return LEVELS.findIndex((rooms) => rooms.includes(room));
}

/** Why an import is against the order, or undefined where it is not. */
function objection({ from, specifier }: Import): string | undefined {
  const room = roomOf(from);
  if (levelOf(room) < 0) return `${from}: the room ${room} has no level`;
  if (specifier === "(computed)") return `${from}: imports what only shows at run time`;
  if (!specifier.startsWith(".")) {
    return NATIVE.test(specifier) && room !== "engine" ? `${from}: only src/engine may load ${specifier}` : undefined;
  }
  const target = posix.join(posix.dirname(from), specifier);
  const targetRoom = roomOf(target);
  if (target.startsWith("..") || levelOf(targetRoom) < 0) return `${from}: ${specifier} leads to no room`;
  if (targetRoom === room || levelOf(targetRoom) > levelOf(room)) return undefined;
  return `${from}: ${room} may not import ${targetRoom} (${specifier})`;
}

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), "utf8")));

describe("the rooms of src", () => {
  it("are all found, and read", () => {
    expect(files).toEqual(expect.arrayContaining(["errors.ts", "sweep/sweep.ts", "engine/engine.ts", "cli/main.ts"]));
    expect(imports.length).toBeGreaterThan(100);
    expect(dirname(files.find((file) => file.endsWith("gguf-reader.ts")) ?? "")).toBe("formats");
  });

  it("import downwards only: index, cli, vote, server|report, compare|probe, sweep|judge, strategy|queue, engine|tasks|statistics, metrics|samples|adapter, formats, errors", () => {
    expect(imports.map(objection).filter((words) => words !== undefined)).toEqual([]);
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
    ["adapter/a.ts", 'import type { B } from "../samples/b.js";', "adapter may not import samples"],
    ["report/a.ts", 'export { b } from "../server/b.js";', "report may not import server"],
    ["formats/a.ts", 'export * from "../adapter/b.js";', "formats may not import adapter"],
    ["errors.ts", 'import "./version.js";', "errors may not import version"],
    ["engine/a.ts", 'const b = await import("../cli/b.js");', "engine may not import cli"],
    ["tasks/a.ts", 'type B = import("../engine/b.js").B;', "tasks may not import engine"],
    ["cli/a.ts", 'import { index } from "../index.js";', "cli may not import index"],
    ["cli/a.ts", 'import { getLlama } from "node-llama-cpp";', "only src/engine may load node-llama-cpp"],
    ["cli/a.ts", 'const k = require("koffi");', "only src/engine may load koffi"],
    ["cli/a.ts", "const b = await import(name);", "only shows at run time"],
    ["attic/a.ts", 'import "./b.js";', "attic has no level"],
    ["cli/a.ts", 'import x from "../../package.json";', "leads to no room"],
  ])("objects in %s to %s", (from, source, words) => {
    expect(objections(from, source)).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    ["index.ts", 'export { main } from "./cli/main.js";'],
    ["sweep/a.ts", 'import { b } from "./b.js"; import { version } from "../version.js";'],
    ["engine/a.ts", 'import { getLlama } from "node-llama-cpp"; import type { P } from "../adapter/pieces.js";'],
    ["formats/a.ts", 'import { open } from "node:fs/promises"; import { FormatError } from "../errors.js";'],
  ])("does not object in %s to %s", (from, source) => {
    expect(objections(from, source).filter((words) => words !== undefined)).toEqual([]);
    expect(objections(from, source).length).toBeGreaterThan(0);
  });
});
