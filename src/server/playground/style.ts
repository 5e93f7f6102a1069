/**
 * The page's style sheet. Colours are those of the report: Okabe and Ito's (Color Universal Design, 2008), darkened or lightened until they
 * stand at least 3 : 1 against the page; text stands at least 4.5 : 1.
 */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --raised: #f5f6f8; --ink: #1c2128; --muted: #565f6b; --rule: #d5dae0; --edge: #7d8794; --link: #0b57a4; --on-link: #ffffff;
  --curve: #0072b2; --chosen: #6a3d9a; --current: #c04f00;
  --ins-back: #d8ecfb; --ins: #0a4a7a; --del-back: #fde4d3; --del: #8a3600;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --raised: #1e232a; --ink: #e7eaee; --muted: #a9b2bd; --rule: #38404a; --edge: #77818d; --link: #7fbdf5; --on-link: #10151b;
    --curve: #56b4e9; --chosen: #c3a3ee; --current: #f0923c;
    --ins-back: #123a57; --ins: #b9e0fb; --del-back: #52290d; --del: #fdd0b0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header, main { max-width: 84rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.1rem; }
main { padding-bottom: 3rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .7rem; }
h3 { font-size: 1.05rem; margin: 0; }
h3 span { font-weight: 400; color: var(--muted); white-space: nowrap; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
#about, .note { color: var(--muted); font-size: .88rem; }
#about { max-width: 64rem; margin: 0 0 1rem; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(100%); white-space: nowrap; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.top { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.5rem 2.2rem; align-items: start; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
legend { padding: 0; }
.line { display: flex; flex-wrap: wrap; gap: .45rem 1.2rem; align-items: center; margin: 0 0 .7rem; }
.line > legend { float: left; }
.field { display: block; margin: 0 0 .7rem; }
.field > span { display: block; font-size: .88rem; color: var(--muted); margin-bottom: .15rem; }
.check { display: inline-flex; gap: .5rem; align-items: center; min-height: 1.75rem; }
.check input { width: 1.1rem; height: 1.1rem; margin: 0; accent-color: var(--link); }
input, select, textarea, button { font: inherit; color: inherit; }
textarea, select, input[type="search"], input[type="password"] { width: 100%; }
textarea, select, input[type="search"], input[type="password"], input[type="number"] { background: var(--paper); border: 1px solid var(--edge); border-radius: .35rem; padding: .4rem .55rem; }
textarea { resize: vertical; display: block; }
select option { padding: .15rem .2rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 0 1rem; }
.numbers input { width: 100%; }
button { border: 1px solid var(--edge); border-radius: .35rem; background: var(--raised); padding: .45rem 1.1rem; cursor: pointer; font-weight: 600; min-height: 2.5rem; }
button:hover { border-color: var(--link); }
button.first { background: var(--link); border-color: var(--link); color: var(--on-link); }
button[aria-disabled="true"] { color: var(--muted); font-weight: 400; cursor: default; border-color: var(--rule); }
kbd { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; border: 1px solid var(--rule); border-radius: .25rem; padding: 0 .3rem; white-space: nowrap; }
.alert { border-left: 4px solid var(--current); background: var(--raised); padding: .5rem .9rem; margin: .6rem 0; }
#key-form { max-width: 28rem; margin: 1.5rem 0; }
dl { margin: 0; }
#sample-details dl > div { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0 .8rem; padding: .12rem 0; }
#sample-details { font-size: .92rem; margin: 0 0 .7rem; }
#sample-details dd + dd { grid-column: 2; }
dt { color: var(--muted); overflow-wrap: anywhere; }
dd { margin: 0; min-width: 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
#curve { margin: 0; min-height: 230px; }
#curve svg { display: block; max-width: 100%; }
#curve text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--muted); }
#curve .rule { stroke: var(--rule); }
#curve .band { fill: var(--curve); opacity: .18; }
#curve .line { fill: none; stroke: var(--curve); stroke-width: 2; }
#curve .chosen { stroke: var(--chosen); stroke-width: 2; stroke-dasharray: 6 4; }
#curve .chosen-text { fill: var(--chosen); font-weight: 600; }
#curve .current { stroke: var(--current); stroke-width: 2; }
#curve .current-text { fill: var(--current); font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
#curve .hit { fill: transparent; }
#curve .dot { fill: var(--curve); stroke: var(--paper); stroke-width: 1.5; }
#curve .is-current .dot { fill: var(--current); }
#curve .ring { fill: none; }
#curve .point { cursor: pointer; outline: none; }
#curve .point:hover .ring { stroke: var(--curve); stroke-width: 1.5; }
#curve .point:focus-visible .ring { stroke: var(--link); stroke-width: 3; }
.slider { display: flex; gap: 1rem; align-items: center; }
.slider input[type="range"] { flex: 1; min-width: 0; height: 2rem; margin: 0; accent-color: var(--current); }
.slider input[type="number"] { width: 5rem; }
#asked-references { max-height: 9rem; overflow: hidden; }
#asked-references bdi { font-weight: 600; }
#boundary-words { font-size: .92rem; font-variant-numeric: tabular-nums; }
.answers { border-top: 1px solid var(--rule); margin-top: 1.2rem; padding-top: 1rem; }
.head { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; align-items: center; justify-content: space-between; }
.head h2 { margin: 0; }
#columns { display: grid; gap: 1rem; grid-template-columns: repeat(3, minmax(0, 1fr)); margin-top: .6rem; }
#columns[data-count="2"] { grid-template-columns: repeat(2, minmax(0, 1fr)); }
#columns[data-count="1"] { grid-template-columns: minmax(0, 1fr); }
.column { background: var(--raised); border-radius: .5rem; border-top: 4px solid var(--rule); padding: .7rem .95rem .9rem; min-width: 0; display: flex; flex-direction: column; }
#base-column { border-top-color: var(--edge); }
#full-column { border-top-color: var(--curve); }
#boundary-column { border-top-color: var(--current); }
.state { color: var(--muted); font-size: .88rem; margin: .1rem 0 .5rem; }
.column[data-state="failed"] .state { color: var(--del); background: var(--del-back); padding: .3rem .6rem; border-radius: .3rem; }
.column[data-state="running"] .state::before { content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; background: var(--link); margin-right: .4rem; animation: pulse 1s ease-in-out infinite alternate; }
@keyframes pulse { from { opacity: 1; } to { opacity: .25; } }
.column .text { flex: 1; min-height: 4.5rem; }
.stats { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .1rem .8rem; border-top: 1px solid var(--rule); margin-top: .8rem; padding-top: .5rem; font-size: .85rem; font-variant-numeric: tabular-nums; }
.stats > div { display: flex; gap: .4rem; flex-wrap: wrap; }
ins, del { border-radius: .2rem; padding: 0 .1em; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
ins { background: var(--ins-back); color: var(--ins); text-decoration: underline; text-underline-offset: .18em; }
del { background: var(--del-back); color: var(--del); text-decoration: line-through; }
ins::before, ins::after, del::before, del::after { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(100%); white-space: nowrap; }
ins::before { content: " [only here: "; } ins::after { content: " end] "; }
del::before { content: " [not here: "; } del::after { content: " end] "; }
@media (max-width: 60rem) { .top { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 44rem) {
  #columns, #columns[data-count="2"] { grid-template-columns: minmax(0, 1fr); }
  #sample-details dl > div { grid-template-columns: minmax(0, 1fr); }
  #sample-details dd + dd { grid-column: 1; }
  .column .text { min-height: 2rem; }
}
@media (prefers-reduced-motion: reduce) { .column[data-state="running"] .state::before { animation: none; } }
`;
