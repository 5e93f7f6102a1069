import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, UsageError } from "../../src/errors.js";
import { readMasks } from "../../src/strategy/masks-file.js";
import { maskWords } from "../../src/strategy/mask-words.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const adapter = adapterWith([1, 2, 3].flatMap((layer) => [moduleAt(layer), moduleAt(layer, "ffn_up")]));

async function fileOf(text: string): Promise<string> {
  const path = join(folder.path, "masks.yaml");
  await writeFile(path, text);
  return path;
}

describe("masks of a file", () => {
  it("have the words of trim, scales, and parts of which the later win", async () => {
    const path = await fileOf(`
- {name: ends, layers: "1,-1"}
- {name: low attention, keep: 2, modules: q_proj}
- name: soft
  parts:
    - keep: 4
    - {layers: 3, scale: 0.5}
`);
    const masks = await readMasks(path, adapter, 4);
    expect(masks.map(({ name, mask }) => [name, maskWords(mask, adapter.modules, 4)])).toEqual([
      ["ends", "layers 1, 3"],
      ["low attention", "attention of layer 1"],
      ["soft", "layers 1-2; 0.5 of layer 3"],
    ]);
  });

  it.each([
    ["- {name: low, layers: 0}", 'the mask "low" keeps nothing'],
    ["- {name: far, layers: 7}", "layers from 0 to 3"],
    ["- {name: heads, modules: q_prj}", "no such module"],
    ["- {name: a, layers: 1}\n- {name: a, layers: 2}", "two masks of one name"],
    ["- {name: a, layer: 1}", "is no list of masks"],
    ["- {name: a, layers: 1, scale: 0}", "is no list of masks"],
    ["[]", "is no list of masks"],
    ["- {name: a", "is not valid YAML"],
  ])("that cannot be used: %s", async (text, words) => {
    const error = await failureOf(UsageError, async () => readMasks(await fileOf(text), adapter, 4));
    expect(error.message).toContain(words);
  });

  it("that is not there", async () => {
    await failureOf(FileError, () => readMasks(join(folder.path, "none.yaml"), adapter, 4));
  });
});
