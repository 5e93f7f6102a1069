const VOID = new Set(["!doctype", "meta", "link", "input"]);

/** A tag of a page with its attributes. */
export interface Tag {
  readonly name: string;
  readonly isEnd: boolean;
  /** Whether it needs no end: a void element of HTML, or an empty one of SVG. */
  readonly isEmpty: boolean;
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * The tags of a page in their order. In text that is escaped no `<` stands but at a tag, and in quoted attributes none at all, so what a
 * text smuggled in would show here as a tag or an attribute. Contents of style and script are left out.
 */
export function tagsOf(page: string): Tag[] {
  const markup = page.replace(/(<(style|script)>)[\s\S]*?(<\/\2>)/g, "$1$3");
  return [...markup.matchAll(/<(\/?)([^\s>/]+)((?:\s+[^\s=>]+(?:="[^"]*")?)*)\s*(\/?)>|</g)].map((match) => {
    const [, slash, name, attributes, empty] = match;
    if (name === undefined)
      throw new Error(`a lone < at ${match.index}: ${markup.slice(match.index, match.index + 80)}`);
    const pairs = [...(attributes ?? "").matchAll(/([^\s=]+)(?:="([^"]*)")?/g)];
    return {
      name: name.toLowerCase(),
      isEnd: slash === "/",
      isEmpty: empty === "/" || VOID.has(name.toLowerCase()),
      attributes: new Map(pairs.map(([, key, value]) => [key ?? "", value ?? ""])),
    };
  });
}

/** The texts of the rows of the table with that caption, cell by cell, its head first; undefined where there is none. */
export function tableOf(page: string, caption: string): string[][] | undefined {
  const start = page.indexOf(`<caption><span>${caption}</span>`);
  if (start < 0) return undefined;
  const table = page.slice(start, page.indexOf("</table>", start));
  return [...table.matchAll(/<tr[^>]*>([\s\S]*?)<\/tr>/g)].map(([, row]) =>
    [...(row ?? "").matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell]) => textOf(cell ?? "")),
  );
}

/** Tags that do not part words. */
const INLINE = /<\/?(?:strong|small|code|bdi|ins|del|span|em|a)(?:\s[^>]*)?>/g;

/** Markup as a reader sees it: tags, style and script gone, characters as they are, white space as one space. */
export function textOf(markup: string): string {
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" };
  return markup
    .replace(/<(style|script)>[\s\S]*?<\/\1>/g, "")
    .replace(INLINE, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => entities[name] ?? "")
    .replace(/\s+/g, " ")
    .trim();
}
