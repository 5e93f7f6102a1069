import { Template } from "@huggingface/jinja";
import type { JudgePrompt } from "../../src/judge/judge-prompt.js";
import type { JudgedPrediction } from "../../src/judge/scores.js";
import type { Sample } from "../../src/samples/sample.js";

export function sample(id: string, references: readonly string[] = [`reference of ${id}`]): Sample {
  return { id, variables: { dialogue: `dialogue of ${id}` }, references };
}

/** Samples s0, s1, ... with a prediction each. */
export function predictions(count: number, predict = (i: number): string => `prediction ${i}`): JudgedPrediction[] {
  return Array.from({ length: count }, (_, i) => ({ sample: sample(`s${i}`), prediction: predict(i) }));
}

/** A question that shows the prediction, or both answers, alone. */
export const shortPrompt: JudgePrompt = {
  template: {
    path: "short.jinja",
    source: "",
    template: new Template("{{ prediction }}{% if answer_a %}A={{ answer_a }} B={{ answer_b }}{% endif %}"),
  },
  task: "summary",
  sha8: "0123abcd",
};
