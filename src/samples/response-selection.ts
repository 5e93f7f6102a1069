import { UsageError } from "../errors.js";
import type { FieldMap } from "./field-map.js";
import type { ReadSamples } from "./loaded.js";
import { defaultId, placedError, shown } from "./place.js";
import type { Sample } from "./sample.js";
import type { TsvLine } from "./tsv.js";

const QUESTION = "Does the response fit as the next turn of the dialogue?";

/** Whether a line has the layout of response selection: 0 or 1, utterances, and a candidate response. */
export function isResponseSelection({ cells }: TsvLine): boolean {
  return cells.length >= 3 && /^[01]$/.test(cells[0]);
}

/**
 * Samples of response selection as the E-Commerce dialogue corpus is published: `label`, the utterances of a dialogue, and last
 * the candidate response, separated by tabs. The references are "yes" for label 1 and "no" for 0; the variables `context`
 * (the dialogue, an utterance a line, and the response under it), `question` (whether it fits), `utterances` and `response`.
 * The group is the label. Throws SampleError for a line of another layout, UsageError for a map.
 *
 * Source: Zhang et al. 2018, "Modeling Multi-turn Conversation with Deep Utterance Aggregation" (arXiv 1806.09102), the files
 * `train.txt`, `dev.txt` and `test.txt` of its corpus.
 */
export function readResponseSelection(path: string, lines: readonly TsvLine[], map: FieldMap): ReadSamples {
  if (Object.keys(map).length > 0) {
    throw new UsageError({
      what: "--map does not go with this file",
      actual: `${path} in the layout of response selection (label, utterances, response)`,
      expected: "JSONL, or a table whose first line names its columns",
      fix: "Leave --map out: the columns of this layout are known.",
    });
  }
  const placed = lines.map((line) => ({ place: line.place, sample: sampleOfLine(line) }));
  return { format: "response-selection", placed };
}

function sampleOfLine({ place, cells }: TsvLine): Sample {
  const [label, ...turns] = cells;
  const isYes = label === "1";
  if (!isYes && label !== "0") {
    const expected = "0 or 1 in the first column, as in the lines above";
    throw placedError(
      place,
      { what: 'field "label" is wrong', actual: shown(label), expected, fix: "Mend the line, or take it out." },
      "label",
    );
  }
  const utterances = turns.slice(0, -1);
  const response = turns.at(-1) ?? "";
  if (utterances.length === 0 || response.trim() === "") {
    throw placedError(
      place,
      {
        what: 'field "response" is missing',
        actual: shown(cells.join("\t")),
        expected: "label, at least one utterance and the response, with tabs between them",
        fix: "Mend the line, or take it out.",
      },
      "response",
    );
  }
  const answer = isYes ? "yes" : "no";
  return {
    id: defaultId(place),
    variables: {
      context: `${utterances.join("\n")}\n\nResponse: ${response}`,
      question: QUESTION,
      utterances,
      response,
    },
    references: [answer],
    group: { label: answer },
  };
}
