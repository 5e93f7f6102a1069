// The import graph of src: `node eval/import-graph.mjs [SRC]` prints the rooms, the arrows between them, the circles and the arrows that run
// upwards, and exits with 1 where there is a circle or an upward arrow. test/imports.test.ts holds both at none.
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The rooms from the highest level to the lowest; rooms of one level do not know each other. */
export const LEVELS = [
  ["cli"],
  ["index"],
  ["report"],
  ["vote", "probe", "compare"],
  ["server"],
  ["sweep"],
  ["run"],
  ["choice"],
  ["queue", "strategy", "judge", "merge"],
  ["engine"],
  ["adapter", "statistics", "tasks"],
  ["samples", "formats"],
  ["files", "metrics", "html"],
  ["registry", "settings"],
  ["assert", "errors", "parsed-json", "version"],
];

/** Every `import`, `export ... from`, `import(...)`, `require(...)` and `import("...")` type in a file: what stands between the quotes. */
export function importsOf(from, source) {
  const found = [];
  const visit = (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push(node.moduleSpecifier.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push(node.argument.literal.text);
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

/** The imports of all TypeScript files below a folder; paths are relative to it, with slashes. */
export function readImports(root) {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
  return { files, imports: files.flatMap((file) => importsOf(file, readFileSync(join(root, file), "utf8"))) };
}

/** The room of a file below src: its folder, or its own name where it lies in none. */
export function roomOf(path) {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.[jt]s$/, "");
}

export function levelOf(room) {
  return LEVELS.findIndex((rooms) => rooms.includes(room));
}

/** What a relative import leads to, as a path below src without its ending. */
export function targetOf({ from, specifier }) {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, "");
}

/** `[from, to]` for each import of a file by a file of the same source, without endings. */
export function arrowsBetweenFiles({ files, imports }) {
  const known = new Set(files.map((file) => file.replace(/\.ts$/, "")));
  return imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map((entry) => [entry.from.replace(/\.ts$/, ""), targetOf(entry)])
    .filter(([, to]) => known.has(to));
}

/** `[from, to]` for each pair of rooms of which the first imports the second. */
export function arrowsBetweenRooms(arrows) {
  const keys = arrows.map(([from, to]) => [roomOf(from), roomOf(to)]).filter(([from, to]) => from !== to);
  return [...new Set(keys.map((pair) => pair.join(" ")))].sort().map((key) => key.split(" "));
}

/** The circles: each a sorted list of names that all reach each other. Source: Tarjan (1972), strongly connected components. */
export function circlesOf(arrows) {
  const next = new Map();
  for (const [from, to] of arrows) next.set(from, [...(next.get(from) ?? []), to]);
  const order = new Map();
  const low = new Map();
  const stack = [];
  const circles = [];
  const visit = (name) => {
    order.set(name, order.size);
    low.set(name, order.get(name));
    stack.push(name);
    for (const to of next.get(name) ?? []) {
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) low.set(name, Math.min(low.get(name), low.get(to)));
    }
    if (low.get(name) !== order.get(name)) return;
    const circle = stack.splice(stack.indexOf(name)).sort();
    if (circle.length > 1) circles.push(circle);
  };
  for (const name of [...next.keys()].sort()) if (!order.has(name)) visit(name);
  return circles.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function main(root) {
  const graph = readImports(root);
  const arrows = arrowsBetweenFiles(graph);
  const rooms = arrowsBetweenRooms(arrows);
  const names = [...new Set(graph.files.map(roomOf))].sort();
  const upward = rooms.filter(([from, to]) => levelOf(to) <= levelOf(from));
  const circles = [...circlesOf(arrows), ...circlesOf(rooms)];
  console.log(`${names.length} rooms, ${graph.files.length} files, ${arrows.length} imports between files`);
  for (const name of names) {
    const into = rooms.filter(([from]) => from === name).map(([, to]) => to);
    console.log(`  ${name} -> ${into.join(", ") || "(nothing)"}`);
  }
  console.log(`${rooms.length} arrows between rooms, ${upward.length} upwards, ${circles.length} circles`);
  for (const [from, to] of upward) console.log(`  upwards: ${from} -> ${to}`);
  for (const circle of circles) console.log(`  circle of ${circle.length}: ${circle.join(", ")}`);
  return upward.length + circles.length === 0 ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv[2] ?? fileURLToPath(new URL("../src", import.meta.url)));
}
