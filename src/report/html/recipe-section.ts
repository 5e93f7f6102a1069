import type { SweepResult } from "../../run/result.js";
import { counted, duration, shortBytes, thousands } from "../figures.js";
import { valueText } from "../../samples/value-text.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { facts, table } from "./table.js";

/** How to repeat the run and use its outcome: command, settings, versions, hashes, times. */
export function recipeSection(result: SweepResult): Html {
  const { command, config, trimmed, model } = result;
  const settings = Object.entries(config).map(([name, value]) => ({ name, value: valueText(value) }));
  return markup`<section id="recipe" aria-labelledby="recipe-title">
<h2 id="recipe-title">Repeat it, use it</h2>
<p>The command of this run:</p>
${commandBlock(command)}${
    trimmed !== null
      ? markup`<p>The trimmed adapter, <code>${trimmed.file}</code> in the run's folder (${thousands(trimmed.bytes)} bytes)${trimmed.peft !== undefined && markup`, and <code>${trimmed.peft}</code> in PEFT's form`}:</p>
${commandBlock(`llama-server -m ${model.path} --lora ${trimmed.file}\nollama create NAME -f Modelfile`)}`
      : undefined
  }${table(
    "Settings",
    [
      { head: "setting", cell: ({ name }) => name, align: "words" },
      { head: "value", cell: ({ value }) => markup`<code>${value}</code>`, align: "words" },
    ],
    settings,
  )}<h3>Versions</h3>
${versions(result)}<h3>Hashes (SHA-256)</h3>
${hashes(result)}<h3>Signatures of the scores</h3>
${signatures(result)}<h3>Time and memory</h3>
${times(result)}</section>
`;
}

function commandBlock(text: string): Html {
  return markup`<pre><code>${text}</code></pre>
`;
}

function versions({ tool, engine, generation }: SweepResult): Html {
  const { backend, devices, gpuLayers, threads, llamaCpp, nodeLlamaCpp } = engine;
  const { template, maxTokens, stop, sequences, contextSize, batchSize, cacheType, flashAttention } = generation;
  return facts([
    ["Tool", `${tool.name} ${tool.version}`],
    ["Engine", `llama.cpp ${llamaCpp}, node-llama-cpp ${nodeLlamaCpp}`],
    [
      "Backend",
      [
        `${backend}${devices.length > 0 ? ` (${devices.join(", ")})` : ""}`,
        ...(gpuLayers > 0 ? [`${gpuLayers} layers on the GPU`] : []),
        counted(threads, "thread"),
      ].join(", "),
    ],
    [
      "Generation",
      `greedy, at most ${maxTokens} tokens, ${template} template, stops: ${stop.length > 0 ? stop.map((text) => JSON.stringify(text)).join(", ") : "the model's own"}`,
    ],
    [
      "Context",
      `${counted(sequences, "sequence")} of ${contextSize} tokens, batches of ${batchSize}, key/value cache ${cacheType}, flash attention ${flashAttention}`,
    ],
  ]);
}

function hashes({ model, adapter, data, trimmed, generation }: SweepResult): Html {
  const code = (text: string | undefined): Content => text !== undefined && markup`<code class="hash">${text}</code>`;
  return facts([
    ["Model", code(model.sha256)],
    ["Adapter", code(adapter.sha256)],
    ["Trimmed adapter", code(trimmed?.sha256)],
    ["Data", code(data.sha256)],
    ["Holdout", code(data.holdoutSha256)],
    ["Prompt", code(data.promptSha256)],
    ["Generation key", code(generation.key)],
  ]);
}

function signatures({ candidates, labels }: SweepResult): Html {
  const scores =
    candidates.flatMap(({ selection, holdout }) => [selection, holdout]).find((part) => part)?.scores ?? {};
  return facts(
    Object.entries(scores).map(([metric, { signature }]) => [
      labels[metric] ?? metric,
      markup`<code class="hash">${signature}</code>`,
    ]),
  );
}

function times({ timings, model }: SweepResult): Html {
  const { wallSeconds, answersGenerated, answersReused, enginePeakBytes, ownPeakBytes } = timings;
  return facts([
    ["Wall clock", duration(wallSeconds)],
    ["Answers", `${thousands(answersGenerated)} generated, ${thousands(answersReused)} kept from an earlier start`],
    ["Peak memory", `engine ${shortBytes(enginePeakBytes)}, boundary itself ${shortBytes(ownPeakBytes)}`],
    ["Model file", `${thousands(model.bytes)} bytes`],
  ]);
}
