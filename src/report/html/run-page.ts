import type { RunReport } from "../report-input.js";
import { answerSection, askedSection } from "./answer-section.js";
import { choiceSection } from "./choice-section.js";
import { confirmationSection } from "./confirmation-section.js";
import { curveSection } from "./curve-section.js";
import { outputsSection } from "./outputs-section.js";
import { pageText } from "./page.js";
import { judgeSection, voteSection } from "./preference-sections.js";
import { probeSection, strategiesSection } from "./layers-section.js";
import { recipeSection } from "./recipe-section.js";
import { samplesSection } from "./samples-section.js";

/** The page of one run. Equal reports give equal pages. */
export function runPage({ name, result, samples, judge, votes, probe, strategies }: RunReport): string {
  return pageText({
    title: `Boundary report: ${name}`,
    contents: [
      ["answer", "Answer"],
      ["asked", "Question"],
      ["curve", "Curve"],
      ...(probe ? [["layers", "Layers"] as const] : []),
      ...(strategies ? [["strategies", "Strategies"] as const] : []),
      ["choice", "Choice"],
      ["confirmation", "Before and after"],
      ["outputs", "Answers"],
      ...(judge ? [["judges", "Judges"] as const] : []),
      ...(votes ? [["votes", "People"] as const] : []),
      ["samples", "Samples"],
      ["recipe", "Recipe"],
    ],
    body: [
      answerSection(result),
      askedSection(result),
      curveSection(result),
      probe && probeSection(probe),
      strategies && strategiesSection(strategies),
      choiceSection(result),
      confirmationSection(result),
      outputsSection(result),
      judgeSection(judge),
      voteSection(votes),
      samplesSection(result, samples),
      recipeSection(result),
    ],
  });
}
