import { markup, type Html } from "../../html/markup.js";

/** What differs between the pages of two votes. */
export interface VotePageParts {
  /** What is asked before the preference as a whole. */
  readonly criteria: readonly string[];
  /** Who votes; undefined where the page asks. */
  readonly voter: string | undefined;
  /** Whether the server wants a key. */
  readonly asksKey: boolean;
}

/** What each criterion of the paper means to a voter. Source: arXiv 2503.23360, Table 5 and appendix A.2, in our own words. */
const QUESTIONS: Readonly<Record<string, string>> = {
  fluency: "reads like good language",
  accuracy: "is right, and true to the question",
  readability: "is clear and easy to take in",
  completeness: "leaves nothing out",
};

/** The verdicts in the order in which they stand and the keys choose them. */
const CHOICES = [
  ["a", "A is better"],
  ["tie", "Tie"],
  ["b", "B is better"],
] as const;

/** The page people vote on. It is the same for every pair: the script fills in the answers, as text. */
export function votePage({ criteria, voter, asksKey }: VotePageParts): string {
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Which answer is better?</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/vote.css">
<script src="/vote.js" defer></script>
</head>
<body data-voter="${voter ?? ""}">
<a class="skip" href="#main">Skip to the answers</a>
<header>
<h1>Which answer is better?</h1>
<p class="status"><span id="progress" role="status"></span> <button type="button" id="leave" class="quiet" hidden>Another voter</button></p>
<progress id="bar" value="0" max="1" aria-label="Pairs voted on" hidden></progress>
</header>
<main id="main" tabindex="-1">
<noscript><p class="notes">This page needs JavaScript to show the answers and keep your votes.</p></noscript>
<p id="problem" class="notes" role="alert" hidden></p>
${whoForm(voter, asksKey)}${askSection(criteria)}${endSection()}</main>
</body>
</html>
`;
  return page.text;
}

function whoForm(voter: string | undefined, asksKey: boolean): Html {
  return markup`<form id="who" class="who" hidden>
<p>You will see two answers to each question, without knowing whose they are. Votes are kept at once under your name, so you can stop at any time and go on later.</p>
${voter === undefined && markup`<label>Your name <input id="name" autocomplete="off" maxlength="60" required></label>\n`}${asksKey && markup`<label>Key <input id="key" type="password" autocomplete="off" required></label>\n`}<button type="submit">Begin</button>
</form>
`;
}

function askSection(criteria: readonly string[]): Html {
  return markup`<section id="ask" aria-labelledby="ask-title" hidden>
<h2 id="ask-title" tabindex="-1"></h2>
<dl id="fields" class="facts"></dl>
<details id="references"><summary>Reference</summary><div id="reference-texts"></div></details>
<div class="answers">
<section class="answer" aria-labelledby="a-title"><h3 id="a-title">Answer A</h3><div id="a" class="text" dir="auto"></div></section>
<section class="answer" aria-labelledby="b-title"><h3 id="b-title">Answer B</h3><div id="b" class="text" dir="auto"></div></section>
</div>
<form id="verdicts">
${[...criteria, "overall"].map(question)}<div class="buttons">
<button type="submit" id="save">Save and go on</button>
<button type="button" id="skip" class="quiet">Skip</button>
<button type="button" id="back" class="quiet">Back</button>
</div>
</form>
${keyHelp(criteria)}</section>
`;
}

function question(name: string): Html {
  const title = name === "overall" ? "Overall" : `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  const about = name === "overall" ? "all in all" : QUESTIONS[name];
  return markup`<fieldset data-question="${name}">
<legend>${title}${about !== undefined && markup` <small>${about}</small>`}</legend>
<div class="choices">${CHOICES.map(
    ([value, label]) =>
      markup`<label><input type="radio" name="${name}" value="${value}"><span>${label}</span></label>`,
  )}</div>
</fieldset>
`;
}

function keyHelp(criteria: readonly string[]): Html {
  const what =
    criteria.length === 0
      ? "A is better, a tie, B is better; saves and goes on"
      : "A is better, a tie, B is better: answers the marked question and marks the next; the last one saves and goes on";
  return markup`<details id="help" open><summary>Keys</summary>
<ul>
<li><kbd>1</kbd> <kbd>2</kbd> <kbd>3</kbd> ${what}</li>
<li><kbd>U</kbd> one question up</li>
<li><kbd>Enter</kbd> save and go on, also without the other questions once “Overall” is answered</li>
<li><kbd>S</kbd> skip</li>
<li><kbd>B</kbd> back to the pair before, to change a vote</li>
</ul>
<label><input type="checkbox" id="keys" checked> use these keys</label>
</details>
`;
}

function endSection(): Html {
  return markup`<section id="end" aria-labelledby="end-title" hidden>
<h2 id="end-title" tabindex="-1">Thank you</h2>
<p id="end-text"></p>
<div class="buttons">
<button type="button" id="again" hidden>Look at the skipped ones</button>
<button type="button" id="last" class="quiet">Back to the last pair</button>
</div>
</section>
`;
}
