import Table from "cli-table3";

/** A table without frames: it survives being pasted, and is as narrow as it can be. The first two columns of text align left. */
export function plainTable(head: string[]): Table.Table {
  const none = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"];
  const lines = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  return new Table({
    head,
    chars: { ...Object.fromEntries([...none, ...lines].map((name) => [name, ""])), middle: "  " },
    colAligns: head.map((_, i) => (i === 0 ? "left" : "right")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
}
