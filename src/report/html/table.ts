import { markup, type Content, type Html } from "../../html/markup.js";

/** A column of a table: its head, and what a row has in it. */
export interface Column<Row> {
  readonly head: Content;
  readonly cell: (row: Row) => Content;
  /** Numbers, the default, stand to the right and do not wrap. */
  readonly align?: "number" | "words";
}

/** What a table may have besides columns and rows. */
export interface TableOptions<Row> {
  /** Rows that stand out; say in a cell why, as colour alone says nothing. */
  readonly isMarked?: (row: Row) => boolean;
}

/**
 * A table whose first column heads its rows. On a narrow screen it scrolls by itself, also from the keyboard.
 * @param caption its title, which also names the scrolling part.
 */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { isMarked = () => false }: TableOptions<Row> = {},
): Html {
  const kind = ({ align = "number" }: Column<Row>): string => align;
  return markup`<div class="scroll" role="group" aria-label="${caption}" tabindex="0">
<table>
<caption><span>${caption}</span></caption>
<thead><tr>${columns.map((column) => markup`<th scope="col" class="${kind(column)}">${column.head}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (row) =>
    markup`<tr${isMarked(row) && markup` class="marked"`}>${columns.map((column, i) =>
      i === 0
        ? markup`<th scope="row" class="${kind(column)}">${column.cell(row)}</th>`
        : markup`<td class="${kind(column)}">${column.cell(row)}</td>`,
    )}</tr>
`,
)}</tbody>
</table>
</div>
`;
}

/** Names with their values, one below the other. Entries without a value are left out. */
export function facts(entries: readonly (readonly [name: string, value: Content])[]): Html {
  const shown = entries.filter(([, value]) => value !== undefined && value !== false && value !== "");
  return markup`<dl class="facts">
${shown.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>
`;
}
