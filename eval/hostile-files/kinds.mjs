import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readBaseModel } from "../../dist/adapter/base-model.js";
import { loadAdapter } from "../../dist/adapter/either-form.js";
import { inspectAdapter } from "../../dist/adapter/inspect.js";
import { loadGgufAdapter } from "../../dist/adapter/load-gguf-adapter.js";
import { writePeftAsGguf } from "../../dist/adapter/peft-to-gguf.js";
import { selectModules } from "../../dist/adapter/select-modules.js";
import { trimPeftAdapter } from "../../dist/adapter/trim-peft.js";
import { loadPredictions } from "../../dist/samples/predictions.js";
import { loadSamples } from "../../dist/samples/load.js";
import { readMasks } from "../../dist/strategy/masks-file.js";
import { parseConfig, settingsFromFile } from "../../dist/sweep/config.js";
import { readYaml } from "../../dist/formats/yaml.js";
import { bundledPrompt, loadPrompt, renderPrompt } from "../../dist/tasks/prompt.js";
import { inspectionReport } from "../../dist/report/inspection.js";
import { mutateBytes, mutateText } from "./mutate.mjs";

const fixture = (name) => fileURLToPath(new URL(`../../test/oracle/fixtures/llama/${name}`, import.meta.url));

const CONFIG = `model: base.gguf
adapter: adapter
data: data.jsonl
out: runs/a
task: qa
boundaries: 0-4
folds: 3
metric: contains
margin: 2.5
floor: em=1.0
holdout: 0.3
sequences: auto
`;
const MASKS = `- {name: bottom, keep: 2}
- {name: ends, layers: "0-1,-1", modules: "q_proj,v_proj", scale: 0.5}
- name: parts
  parts:
    - {layers: 0-3}
    - {layers: 1, scale: 0.25}
`;
const SAMPLES = [
  { id: "a", question: "Who wrote it?", context: "Ann wrote it.", answers: ["Ann"] },
  { id: "b", question: "When?", context: "In 1999.", answers: { text: ["1999"], answer_start: [3] } },
  { id: "c", question: "How much is 2+2?", context: "", answers: ["4", "four"] },
]
  .map((row) => JSON.stringify(row))
  .join("\n");
const SQUAD = JSON.stringify({
  version: "1.1",
  data: [
    {
      title: "t",
      paragraphs: [
        { context: "Ann did.", qas: [{ id: "1", question: "Who?", answers: [{ text: "Ann", answer_start: 0 }] }] },
      ],
    },
  ],
});
const TABLE = 'question\tpassage\tanswer\n"Is it ""so""?"\tIt is.\tyes\nIs it not?\tIt is.\tno\n';
const TRANSLATIONS = 'source\ttarget\nGood "day"\tGuten Tag\na b\tc d\n';
const PREDICTIONS = ["Ann", "1999"]
  .map((p, i) => JSON.stringify({ id: i, prediction: p, references: [p, "x"] }))
  .join("\n");
/** What a mutated file is read by. Each kind writes its file into a folder and runs all that a command does before an engine starts. */
export async function makeKinds(scratch) {
  const base = await readBaseModel(fixture("base.gguf"));
  const plain = readFileSync(join(fixture("plain"), "adapter_model.safetensors"));
  const config = readFileSync(join(fixture("plain"), "adapter_config.json"), "utf8");
  const pristine = join(scratch, "pristine.gguf");
  await writePeftAsGguf((await loadAdapter(fixture("plain"))).adapter, base, pristine, { overwrite: true });
  const gguf = readFileSync(pristine);
  const adapter = await loadGgufAdapter(pristine);
  const shards = join(scratch, "sharded");
  cpSync(fixture("sharded"), shards, { recursive: true });
  const index = readFileSync(join(shards, "adapter_model.safetensors.index.json"), "utf8");
  const folder = join(scratch, "peft");
  cpSync(fixture("plain"), folder, { recursive: true });
  const headerBytes = 8 + Number(plain.readBigUInt64LE(0));

  const put = (name, content) => {
    const path = join(scratch, name);
    writeFileSync(path, content);
    return path;
  };
  const inspected = async (path) => inspectionReport(await inspectAdapter(path, base));
  const usePeft = async () => {
    await inspected(folder);
    const { adapter: own } = await loadAdapter(folder);
    const kept = selectModules(own.modules, 4, { keep: 2 });
    await trimPeftAdapter(own, kept, 4, join(scratch, "trimmed"), { overwrite: true });
  };
  const text = (name, source, read, isJson = false) => ({
    name,
    run: async (draw) => {
      const content =
        draw.below(4) === 0 ? mutateBytes(Buffer.from(source), source.length, draw) : mutateText(source, draw, isJson);
      await read(put(name, content), draw);
    },
  });
  return [
    {
      name: "adapter.gguf",
      run: async (draw) => {
        const path = put("adapter.gguf", mutateBytes(gguf, 6000, draw));
        await inspected(path);
        await loadGgufAdapter(path);
      },
    },
    {
      name: "adapter_model.safetensors",
      run: async (draw) => {
        put("peft/adapter_config.json", config);
        const header = plain.subarray(8, headerBytes).toString();
        const changed = draw.below(2) ? undefined : Buffer.from(mutateText(header, draw, true));
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(changed?.length ?? 0));
        const whole = changed
          ? Buffer.concat([length, changed, plain.subarray(headerBytes)])
          : mutateBytes(plain, headerBytes, draw);
        put("peft/adapter_model.safetensors", whole);
        await usePeft();
      },
    },
    {
      name: "adapter_config.json",
      run: async (draw) => {
        put("peft/adapter_model.safetensors", plain);
        put("peft/adapter_config.json", mutateText(config, draw, true));
        await usePeft();
      },
    },
    text("sharded/adapter_model.safetensors.index.json", index, () => inspected(shards), true),
    text("config.yaml", CONFIG, async (path) => parseConfig({}, settingsFromFile(await readYaml(path), path))),
    text("masks.yaml", MASKS, (path) => readMasks(path, adapter, 4)),
    text(
      "samples.jsonl",
      SAMPLES,
      (path, { pick }) => loadSamples(path, { kind: pick(["qa", "custom", "summary", "math"]) }),
      true,
    ),
    text("squad.json", SQUAD, (path) => loadSamples(path, { kind: "qa" }), true),
    text("table.tsv", TABLE, (path) => loadSamples(path, { kind: "yes-no" })),
    text("translations.tsv", TRANSLATIONS, (path) => loadSamples(path, { kind: "translation" })),
    text("predictions.jsonl", PREDICTIONS, (path) => loadPredictions(path, {}), true),
    text("prompt.jinja", readFileSync(bundledPrompt("qa.jinja"), "utf8"), async (path) => {
      const sample = { id: "1", variables: { question: "Q", context: "C", x: [1, { y: 2 }] }, references: ["R"] };
      renderPrompt(await loadPrompt(path), sample, "data.jsonl");
    }),
  ];
}
