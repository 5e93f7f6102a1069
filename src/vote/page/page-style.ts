import { style } from "../../html/style.js";

/**
 * The style sheet of the page people vote on: that of reports, and what only this page has. The name of the colour for the chosen
 * boundary is not used: whoever votes finds no system's name anywhere.
 */
export const voteStyle = `${style.replaceAll("--chosen", "--current")}
header { padding-top: 1rem; }
h1 { margin-bottom: .25rem; }
h2 { margin-top: 1rem; border-top: 0; padding-top: 0; }
h2:focus { outline: none; }
main { padding-bottom: 3rem; }
.status { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; justify-content: space-between; max-width: none; margin: 0; color: var(--muted); min-height: 2.2rem; }
progress { display: block; width: 100%; height: .5rem; accent-color: var(--link); }
.answers { margin: 1rem 0; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.answer h3 { margin: 0 0 .3rem; }
.text { unicode-bidi: isolate; min-height: 1.5em; }
.text.empty { color: var(--muted); font-style: italic; }
#reference-texts .text { margin: .2rem 0 .2rem 1rem; }
form.who:not([hidden]), #verdicts { display: block; }
.who label { display: flex; margin: .8rem 0; }
fieldset { border: 1px solid var(--rule); border-radius: .5rem; margin: 0 0 .4rem; padding: .4rem .8rem; min-width: 0; display: grid; grid-template-columns: 15rem minmax(0, 1fr); gap: .2rem 1rem; align-items: center; }
fieldset.current { border-color: var(--current); box-shadow: inset 4px 0 0 var(--current); background: var(--marked); }
fieldset.current legend small { color: var(--ink); }
/* Floating takes the legend out of the border and into the grid. */
legend { float: left; font-weight: 600; padding: 0; line-height: 1.25; }
legend small { display: block; font-weight: 400; }
.choices { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5rem; }
.choices label { position: relative; display: block; }
.choices input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0; cursor: pointer; }
.choices span { display: block; text-align: center; padding: .4rem .3rem; border: 1px solid var(--muted); border-radius: .4rem; background: var(--paper); }
.choices input:checked + span { background: var(--link); border-color: var(--link); color: var(--paper); font-weight: 600; }
.choices input:checked + span::before { content: "\\2713\\00a0"; }
.choices input:focus-visible + span { outline: 3px solid var(--link); outline-offset: 2px; }
.buttons { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
button { font: inherit; font-weight: 600; padding: .5rem 1.1rem; border-radius: .4rem; border: 1px solid var(--link); background: var(--link); color: var(--paper); cursor: pointer; }
button.quiet { background: transparent; color: var(--link); }
.status button { border: 0; padding: .2rem 0; font-weight: 400; text-decoration: underline; }
button:disabled { opacity: .5; cursor: default; }
kbd { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; border: 1px solid var(--muted); border-radius: .25rem; padding: .05rem .4rem; }
#help { color: var(--muted); font-size: .9rem; }
#help ul { margin: .3rem 0; padding-left: 1.2rem; }
#help label { color: var(--ink); }
@media (max-width: 44rem) {
  fieldset { grid-template-columns: minmax(0, 1fr); }
  legend small { display: inline; }
  .buttons { display: grid; grid-template-columns: repeat(2, 1fr); }
  #save { grid-column: 1 / -1; }
}
`;
