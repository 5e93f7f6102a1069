import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import type { PeftAdapter } from "../../src/adapter/peft-adapter.js";
import { AdapterError, FormatError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const plain = fileURLToPath(new URL("../oracle/fixtures/llama/plain", import.meta.url));
let copies = 0;

/** The plain adapter (7 modules in each of 4 layers, rank 4, alpha 8) with another configuration. */
async function load(changes: Readonly<Record<string, unknown>>): Promise<PeftAdapter> {
  const path = join(folder.path, `copy-${copies++}`);
  await cp(plain, path, { recursive: true });
  const config = join(path, "adapter_config.json");
  const known = JSON.parse(await readFile(config, "utf8")) as Record<string, unknown>;
  await writeFile(config, JSON.stringify({ ...known, ...changes }));
  return loadPeftAdapter(path);
}

describe("expressions in a configuration", () => {
  it.each([
    String.raw`.*\.(q|k|v|o|gate|up|down)\_proj`,
    String.raw`(?i)MODEL.*_PROJ\Z`,
    String.raw`\A(?P<start>model)\.layers\.\d+\.(self_attn|mlp)\.\w+`,
    // As Unsloth and LLaMA-Factory write them for models with a vision tower.
    String.raw`^(?!.*(?:patch_embed|visual)).*(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$`,
    String.raw`(?:.*?(?:language|text).*?(?:self_attn|mlp).*?(?:_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)))`,
    String.raw`(?x) model \. layers .*  # all of them`,
  ])("are read as Python reads them: %s", async (expression) => {
    expect((await load({ target_modules: expression })).modules).toHaveLength(28);
  });

  it("say the rank and alpha of a module; the first key that matches counts", async () => {
    const { modules } = await load({
      alpha_pattern: { [String.raw`(?P<layer>layers)\.0\.(?i:SELF)_attn\.q\_proj`]: 2, q_proj: 16 },
    });
    const scales = modules.filter(({ module }) => module === "q_proj").map(({ layer, scale }) => [layer, scale]);
    expect(scales.sort()).toEqual([
      [0, 0.5],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
  });

  it("are refused with Python's reason where Python cannot read them", async () => {
    const error = await failureOf(FormatError, () => load({ target_modules: "(q_proj" }));
    expect(error.message).toContain("missing ), unterminated subpattern");
    expect(error.message).toContain('"(q_proj"');
    await failureOf(FormatError, () => load({ target_modules: "(".repeat(100_000) }));
  });

  it.each([
    { target_modules: "([a-z_0-9.]+)+!" },
    { rank_pattern: { "([a-z_0-9.]+)+!": 8 } },
    { exclude_modules: String.raw`(?!x)([\w.]+)+!` },
  ])("have two seconds in all: %o", async (changes) => {
    const started = performance.now();
    const error = await failureOf(FormatError, () => load(changes));
    expect(error.message).toMatch(
      /takes longer than 2 s to match the module names: found ".*\)\+!"\. Write it without/,
    );
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("may need more memory than there is", async () => {
    // Python takes it and matches nothing; V8 takes it too, or says that it is too large.
    const error = await load({ target_modules: "(?:(?:(?:.{1000}){1000}){1000}){1000}" }).catch(
      (cause: unknown) => cause,
    );
    expect(error instanceof FormatError || error instanceof AdapterError).toBe(true);
  });
});
