import { createHash } from "node:crypto";
import { style } from "./style.js";

/**
 * What the page may do: load its own modules and ask the server it came from. Its style sheet is known by its hash, and with Trusted Types no
 * text can become markup or script, whatever models and samples say.
 */
export const policy = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** Columns by the names that the page's script knows them by. */
const columns = [
  ["base", "base"],
  ["full", "full"],
  ["boundary", "boundary K"],
] as const;

const stats = [
  ["first", "first token"],
  ["rate", "tokens/s"],
  ["tokens", "tokens"],
  ["ended", "ended"],
] as const;

function columnText(name: string): string {
  const rows = stats.map(([id, label]) => `<div><dt>${label}</dt><dd id="${name}-${id}">–</dd></div>`);
  return `<section class="column" id="${name}-column" aria-labelledby="${name}-title" aria-busy="false">
<h3 id="${name}-title">${name}</h3>
<p class="state" id="${name}-state">Not asked yet</p>
<div class="text" id="${name}-text" dir="auto"></div>
<dl class="stats">${rows.join("")}</dl>
</section>`;
}

function boxText([name, label]: readonly [string, string]): string {
  return `<label class="check"><input type="checkbox" id="show-${name}" checked> ${label}</label>`;
}

const question = `<form id="ask" aria-labelledby="ask-title" novalidate autocomplete="off">
<h2 id="ask-title">Question</h2>
<fieldset class="line" id="source"><legend class="unseen">What is asked</legend>
<label class="check"><input type="radio" name="source" id="source-sample"> a sample of the sweep</label>
<label class="check"><input type="radio" name="source" id="source-own"> a prompt of my own</label>
</fieldset>
<div id="sample">
<label class="field"><span>Filter the samples</span><input type="search" id="sample-filter" maxlength="200"></label>
<label class="field"><span>Sample</span><select id="sample-list" size="5"></select></label>
<p class="note"><span id="sample-count" role="status"></span></p>
<div id="sample-details"></div>
<p class="note" id="sample-settings"></p>
</div>
<div id="own">
<label class="field" id="system-field"><span>System text (optional)</span><textarea id="system" rows="2"></textarea></label>
<label class="field"><span>Prompt</span><textarea id="prompt" rows="5"></textarea></label>
<p class="note" id="completion-note">This model has no chat template: it continues the prompt as it stands.</p>
<div class="numbers">
<label class="field"><span>Most tokens</span><input type="number" id="max-tokens" min="1" step="1" required></label>
<label class="field"><span>Temperature</span><input type="number" id="temperature" min="0" max="2" step="any" value="0" required></label>
<label class="field"><span>Seed (optional)</span><input type="number" id="seed" step="1" min="0" max="9007199254740991"></label>
</div>
</div>
<fieldset class="line"><legend class="unseen">Columns</legend>
<span aria-hidden="true">Columns:</span>
${columns.map(boxText).join("\n")}
</fieldset>
<p class="alert" id="problem" role="alert" hidden></p>
<div class="line"><button class="first" id="run">Run</button> <button type="button" id="stop" aria-disabled="true">Stop</button>
<span class="note"><kbd>Ctrl</kbd> or <kbd>⌘</kbd> with <kbd>Enter</kbd> runs from anywhere</span></div>
</form>`;

const boundary = `<section aria-labelledby="control-title">
<h2 id="control-title">Boundary</h2>
<div id="curve-block">
<figure id="curve" aria-labelledby="curve-note"></figure>
<p class="note" id="curve-note"><span id="curve-metric"></span> on the sweep's selection samples, with 95 % intervals. A click on a point sets K; so does Enter, and the arrow keys go from point to point.</p>
</div>
<div class="slider">
<label for="slider">K</label><input type="range" id="slider" min="0" step="1">
<label class="unseen" for="boundary-number">K as a number</label><input type="number" id="boundary-number" min="0" step="1">
</div>
<p id="boundary-words"></p>
<p class="note">Once a question was asked, another K asks it again in the last column only.</p>
</section>`;

const answers = `<section class="answers" aria-labelledby="answers-title">
<div class="head"><h2 id="answers-title">Answers</h2>
<label class="check"><input type="checkbox" id="marks" checked> mark differences</label></div>
<p id="asked-references" hidden></p>
<p class="note" id="marks-note" hidden>Against <span id="marks-other"></span>: words that it has not got are marked <ins>so</ins>, words that only it has <del>so</del>.</p>
<div id="columns" data-count="3">
${columns.map(([name]) => columnText(name)).join("\n")}
</div>
<p class="note">The columns answer at the same time and share the machine: alone, each would be faster.</p>
<p class="unseen" id="said" role="status"></p>
</section>`;

/** The page. It holds no data: its script asks for that, with the key where one is needed. */
export function documentText({ keyNeeded }: { readonly keyNeeded: boolean }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>boundary playground</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<script type="module" src="playground/main.js"></script>
</head>
<body data-key="${keyNeeded ? "needed" : "none"}">
<header>
<h1>boundary playground</h1>
<p id="about"></p>
</header>
<main>
<noscript><p class="alert">This page asks the models by a script, and scripts are switched off.</p></noscript>
<p class="alert" id="failure" role="alert" hidden></p>
<form id="key-form" hidden>
<input type="text" autocomplete="username" value="boundary" hidden>
<label class="field"><span>API key of this server</span><input type="password" id="key" autocomplete="current-password" required></label>
<p class="note">It is kept until this tab is closed.</p>
<button class="first">Use this key</button>
</form>
<div id="play" hidden>
<div class="top">
${question}
${boundary}
</div>
${answers}
</div>
</main>
</body>
</html>
`;
}
