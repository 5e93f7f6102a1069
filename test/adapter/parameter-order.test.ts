import { join } from "node:path";
import { expect, it } from "vitest";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { trimPeftAdapter } from "../../src/adapter/trim-peft.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { peftTensor, writePeft } from "./peft-files.js";

const scratch = temporaryFolder();

it("PEFT's wrapper of gate_up_proj lies inside that of down_proj, whatever the order of the tensors", async () => {
  const experts = "base_model.model.model.layers.0.mlp.experts";
  const down = [peftTensor(`${experts}.lora_A.weight`, [8, 24]), peftTensor(`${experts}.lora_B.weight`, [32, 8])];
  const gateUp = [
    peftTensor(`${experts}.base_layer.lora_A.weight`, [8, 32]),
    peftTensor(`${experts}.base_layer.lora_B.weight`, [48, 8]),
  ];
  const config = { target_modules: [], target_parameters: ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"] };
  for (const tensors of [
    [...down, ...gateUp],
    [...gateUp, ...down],
  ]) {
    const folder = await writePeft(join(scratch.path, "given"), tensors, config);
    const adapter = await loadPeftAdapter(folder);
    expect(new Map(adapter.modules.map(({ module, a, experts: count }) => [module, [a.shape, count]]))).toEqual(
      new Map([
        ["gate_up_proj", [[8, 32], 2]],
        ["down_proj", [[8, 24], 2]],
      ]),
    );
    const out = join(scratch.path, "out");
    await trimPeftAdapter(adapter, adapter.modules.toReversed(), 1, out, { overwrite: true });
    const written = (await readSafetensorsHeader(join(out, "adapter_model.safetensors"))).tensors;
    expect(new Map(written.map(({ name, shape }) => [name, shape]))).toEqual(
      new Map(tensors.map(({ name, shape }) => [name, shape])),
    );
  }
});
