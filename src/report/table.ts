import Table from "cli-table3";
import { oneLine } from "./paint.js";

/**
 * A table without frames: it survives being pasted, and is as narrow as it can be. The first column aligns left, the others right. Cells
 * with control characters are escaped here, where their width still counts.
 */
export function plainTable(head: string[]): Table.Table {
  const none = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"];
  const lines = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  const table = new Table({
    head: head.map(oneLine),
    chars: { ...Object.fromEntries([...none, ...lines].map((name) => [name, ""])), middle: "  " },
    colAligns: head.map((_, i) => (i === 0 ? "left" : "right")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  const push = table.push.bind(table);
  table.push = (...rows) =>
    push(
      ...rows.map((row) =>
        Array.isArray(row) ? row.map((cell) => (typeof cell === "string" ? oneLine(cell) : cell)) : row,
      ),
    );
  return table;
}
