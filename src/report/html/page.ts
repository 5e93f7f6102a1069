import { createHash } from "node:crypto";
import { version } from "../../version.js";
import { markup, Html, type Content } from "../../html/markup.js";
import { searchScript } from "./search-script.js";
import { style } from "../../html/style.js";

/** A page of one file. */
export interface Page {
  readonly title: string;
  /** Sections to jump to, by their ids. */
  readonly contents: readonly (readonly [id: string, name: string])[];
  readonly body: Content;
}

/**
 * The page as a document that stands alone: style and script are in it, and its content security policy lets nothing else in, whatever
 * texts it shows.
 */
export function pageText({ title, contents, body }: Page): string {
  const policy = [
    "default-src 'none'",
    `style-src ${hashSource(style)}`,
    `script-src ${hashSource(searchScript)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="boundary ${version}">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header>
<h1>${title}</h1>
<nav aria-label="Contents"><ul>${contents.map(([id, name]) => markup`<li><a href="#${id}">${name}</a></li>\n`)}</ul></nav>
</header>
<main id="main" tabindex="-1">
${body}</main>
<footer><p>Written by boundary ${version}. Scores are on the 0-100 scale.</p></footer>
<script>${new Html(searchScript)}</script>
</body>
</html>
`;
  return page.text;
}

function hashSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
