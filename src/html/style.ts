/**
 * The style sheet. Colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any colour vision tell apart,
 * darkened or lightened until they stand at least 3 : 1 against the page; text stands at least 4.5 : 1. Print is always light.
 */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --raised: #f5f6f8; --ink: #1c2128; --muted: #565f6b; --rule: #d5dae0; --link: #0b57a4;
  --curve-1: #0072b2; --curve-2: #c04f00; --curve-3: #007a5c; --curve-4: #a84a80; --curve-5: #8a6d00; --curve-6: #2f8fc4; --curve-7: #5b6470; --curve-8: #7a3db8;
  --chosen: #6a3d9a; --marked: #efeaf6;
  --ins-back: #d8ecfb; --ins: #0a4a7a; --del-back: #fde4d3; --del: #8a3600;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --raised: #1e232a; --ink: #e7eaee; --muted: #a9b2bd; --rule: #38404a; --link: #7fbdf5;
    --curve-1: #56b4e9; --curve-2: #f0923c; --curve-3: #2fc79b; --curve-4: #e08ab9; --curve-5: #e6cf4a; --curve-6: #9ad1f5; --curve-7: #b4bcc6; --curve-8: #b98cf0;
    --chosen: #c3a3ee; --marked: #2c2540;
    --ins-back: #123a57; --ins: #b9e0fb; --del-back: #52290d; --del: #fdd0b0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header, main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
main:focus { outline: none; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; overflow-wrap: anywhere; }
h4 { font-size: .9rem; margin: 0 0 .25rem; }
p, li, dd { overflow-wrap: anywhere; }
p { margin: .6rem 0; max-width: 46rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
small { font-size: .82em; color: var(--muted); }
code, pre { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--raised); border-radius: .4rem; padding: .7rem .9rem; }
.hash { font-size: .82em; }
.skip { position: absolute; left: -9999px; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .4rem .8rem; z-index: 1; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: 0; padding: 0; }
nav a { display: inline-block; padding: .3rem 0; }
footer { margin-top: 3rem; padding-bottom: 2rem; color: var(--muted); font-size: .9rem; }
.verdict { font-size: 1.25rem; font-weight: 600; line-height: 1.4; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tiles > div { background: var(--raised); border-radius: .5rem; padding: .7rem .9rem; }
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd { margin: 0; }
.tiles strong { display: block; font-size: 1.6rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tiles span { font-size: .85rem; }
.facts { margin: .6rem 0; }
.facts > div { display: grid; grid-template-columns: 9rem minmax(0, 1fr); gap: .1rem 1rem; padding: .15rem 0; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; }
.facts dd { margin: 0; }
.notes { border-left: 4px solid var(--curve-2); padding: .3rem 0 .3rem 1.5rem; margin: .6rem 0; }
p.notes { padding-left: .8rem; }
.beside { color: var(--muted); font-size: .88rem; }
figure { margin: 1rem 0; }
figcaption { color: var(--muted); font-size: .88rem; max-width: 52rem; }
figure > svg, figure div > svg { display: block; max-width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.narrow { display: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17.5rem), 1fr)); gap: .75rem 1rem; }
.charts figure { margin: 0; }
.charts figcaption { color: var(--ink); font-weight: 600; }
.key { margin-right: .5rem; }
.key svg { vertical-align: -1px; }
.scroll { overflow-x: auto; margin: .8rem 0 1.4rem; }
figure .scroll { margin: 0; }
.scroll > svg { max-width: none; display: block; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; font-size: .95rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem); }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: .5rem; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; position: sticky; left: 0; background: var(--paper); }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; }
.words { overflow-wrap: normal; }
th.words { white-space: nowrap; }
tr.marked > * { background: var(--marked); }
ins, del { border-radius: .2rem; padding: 0 .1em; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
ins { background: var(--ins-back); color: var(--ins); text-decoration: underline; text-underline-offset: .18em; }
del { background: var(--del-back); color: var(--del); text-decoration: line-through; }
ins::before, ins::after, del::before, del::after { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(100%); white-space: nowrap; }
ins::before { content: " [only here: "; } ins::after { content: " end] "; }
del::before { content: " [not in the other: "; } del::after { content: " end] "; }
form { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; margin: 1rem 0; }
form[hidden], [hidden] { display: none; }
label { display: inline-flex; align-items: center; gap: .5rem; flex-wrap: wrap; }
input, select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--muted); border-radius: .3rem; padding: .35rem .5rem; max-width: 100%; }
output { color: var(--muted); }
.sample { border: 1px solid var(--rule); border-radius: .5rem; padding: .2rem .9rem .9rem; margin: .9rem 0; }
.sample h3 { margin: .7rem 0 .3rem; }
.tag { font-size: .78rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .6rem; margin-left: .4rem; color: var(--muted); }
.tag.fell { color: var(--del); background: var(--del-back); }
.tag.rose { color: var(--ins); background: var(--ins-back); }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: .75rem; }
.answer { background: var(--raised); border-radius: .4rem; padding: .6rem .8rem; min-width: 0; }
.answer p { margin: .2rem 0; }
.values { color: var(--muted); font-size: .82rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .2rem 0; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  .wide { display: none; }
  .narrow { display: block; }
  .facts > div { grid-template-columns: minmax(0, 1fr); padding: .3rem 0; }
  h1 { font-size: 1.35rem; }
  .verdict { font-size: 1.1rem; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 10pt; }
  header, main, footer { max-width: none; padding: 0; }
  nav, form, .skip { display: none; }
  h2, h3, h4, caption { break-after: avoid; }
  figure, .sample, .tiles, tr { break-inside: avoid; }
  .wide { display: block; }
  .narrow { display: none; }
  .scroll { overflow: visible; }
  caption span, tbody th { position: static; }
  table { font-size: 7.5pt; }
  th, td { padding-right: .45rem; }
  .number { white-space: normal; }
  .sample:nth-of-type(n + 21) { display: none; }
  .charts { grid-template-columns: repeat(3, 1fr); }
  .answers { grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); }
  .sample { padding: 0 .6rem .6rem; margin: .5rem 0; }
  ins, del, .marked > *, .tiles > div, .answer { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
