import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { LEVELS } from "../eval/import-graph.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
const rooms = [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, room = ""]) => room);

describe("CONTRIBUTING.md", () => {
  it("has a line for every room of src, for no other, and in the order of imports", () => {
    const there = readdirSync(join(root, "src"), { withFileTypes: true }).map((entry) => {
      return `src/${entry.name}${entry.isDirectory() ? "/" : ""}`;
    });
    const named = rooms.filter((room) => room.startsWith("src/"));
    expect([...named].sort()).toEqual(there.sort());
    const levels = named.map((room) => room.replace(/^src\//, "").replace(/\/$|\.ts$/, ""));
    expect(levels.map((room) => LEVELS.findIndex((level) => level.includes(room)))).toEqual(
      levels.map((room) => LEVELS.findIndex((level) => level.includes(room))).sort((a, b) => a - b),
    );
  });

  it("shows the order that the test of imports holds", () => {
    const shown = /```text\ncli([\s\S]*?)```/.exec(text)?.[0].replace(/```(text)?/g, "") ?? "";
    expect(shown.split("->").map((level) => level.split(",").map((room) => room.trim()))).toEqual(LEVELS);
  });

  it("names only files that are there", () => {
    const paths = [...text.matchAll(/`((?:src|test|eval|prompts|docs)\/[^`\s]*)`/g), ...text.matchAll(/\]\(([^)]+)\)/g)]
      .map(([, path = ""]) => path)
      .filter((path) => !path.startsWith("http"));
    expect(paths.length).toBeGreaterThan(30);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
