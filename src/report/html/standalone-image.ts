import { style } from "../../html/style.js";

/** An image that is a file of its own. */
export interface StandaloneImage {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  /** What is drawn below the title, as SVG. */
  readonly body: string;
}

/** What a page gives its images: the namespace, the colours and a title that can be seen. */
export function standaloneImage({ title, description, width, height, body }: StandaloneImage): string {
  const colours = style.slice(0, style.indexOf("* {"));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="chart-title" aria-describedby="chart-description" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">\n` +
    `<title id="chart-title">${escaped(title)}</title>\n<desc id="chart-description">${escaped(description)}</desc>\n` +
    `<style>${colours}</style>\n<rect width="100%" height="100%" fill="var(--paper)"/>\n` +
    `<text x="20" y="24" font-size="15" fill="var(--ink)">${escaped(title)}</text>\n${body}\n</svg>\n`
  );
}

/** Text as SVG takes it. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** What an image holds between its tags, without title and description. */
export function shapesOf(svg: string): string {
  return svg
    .slice(svg.indexOf(">") + 1, svg.lastIndexOf("</svg>"))
    .replace(/<title[\s\S]*?<\/title>\s*|<desc[\s\S]*?<\/desc>\s*/g, "");
}
