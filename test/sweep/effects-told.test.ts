import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { AdapterError } from "../../src/errors.js";
import { serve } from "../../src/server/serve.js";
import { serveSettingsSchema } from "../../src/server/settings.js";
import { sweep } from "../../src/sweep/sweep.js";
import type { SweepResult } from "../../src/run/result.js";
import { callCli } from "../support/command.js";
import { failureOf } from "../support/failure.js";
import { writeUpdates } from "../support/random-updates.js";
import {
  ENGINE_START_MS,
  sweepArguments,
  writePrompt,
  writeSweepFixture,
  type SweepFixture,
} from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeUnusualModel, type UnusualArchitecture } from "../support/tiny-architectures.js";
import { tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
let data: string;

beforeAll(async () => {
  ({ data } = await writeSweepFixture(folder.path));
}, ENGINE_START_MS);

/** A model of this architecture with a random adapter of these kinds of module in all layers that have them. */
async function fixtureOf(
  architecture: UnusualArchitecture,
  name: string,
  kinds: Readonly<Record<string, number>>,
): Promise<SweepFixture> {
  const model = await writeUnusualModel(folder.path, architecture);
  const base = await readBaseModel(model);
  const adapter = join(folder.path, name);
  const updates = [...base.shapes.keys()].flatMap((weight) => {
    const strength = kinds[/^blk\.\d+\.(.+)\.weight$/.exec(weight)?.[1] ?? ""];
    return strength === undefined ? [] : [{ name: weight, rank: 2, strength }];
  });
  await writeUpdates(adapter, base, updates, 7);
  return { model, adapter, data, prompt: await writePrompt(folder.path) };
}

const IGNORED = "attn_q_a (4 modules) has no effect: llama.cpp v0.4.0 does not apply LoRA there on deepseek2";
const UNTRAINED = "ffn_down_shexp (3 modules) has no effect: its B is all zero, as before training";

describe("an adapter that llama.cpp applies in part", () => {
  let fixture: SweepFixture;
  beforeAll(async () => {
    fixture = await fixtureOf("deepseek2", "part.gguf", { attn_q_a: 1, attn_output: 1, ffn_down_shexp: 0 });
  });

  it(
    "is swept, with each kind that does nothing and its cause in the plan, the result and its notes",
    async () => {
      const flags = sweepArguments(fixture, join(folder.path, "part"), "--limit", "4", "--holdout", "0.5");
      const planned = await callCli([...flags, "--plan"]);
      expect(planned.stdout).toMatch(
        /^modules {3}attn_q_a, ffn_down_shexp: no effect, see the notes \(tried with \d+ short prompts\)$/m,
      );
      expect(planned.stdout).toContain(`note      ${IGNORED}.`);
      const again = await callCli([...flags, "--plan"]);
      expect(again.stdout).toContain("(known from an earlier run, costs nothing now)");
      const { code, stdout } = await callCli(flags);
      expect(code).toBe(0);
      expect(stdout).toContain(`Note: ${IGNORED}.`);
      const result = JSON.parse(await readFile(join(folder.path, "part", "result.json"), "utf8")) as SweepResult;
      expect(result.notes).toEqual(expect.arrayContaining([`${IGNORED}.`, `${UNTRAINED}.`]));
      expect(result.adapter.withoutEffect).toEqual([
        { module: "attn_q_a", modules: 4, of: 4, layers: [0, 1, 2, 3], cause: "not-applied" },
        { module: "ffn_down_shexp", modules: 3, of: 3, layers: [1, 2, 3], cause: "zero-b" },
      ]);
    },
    ENGINE_START_MS,
  );

  it(
    "is trimmed with a warning, unless it is not to be tried",
    async () => {
      const { model, adapter } = fixture;
      const trim = ["trim", adapter, "--model", model, "--keep", "2", "--force", "--out", join(folder.path, "t.gguf")];
      const { code, stderr } = await callCli(trim);
      expect([code, stderr]).toEqual([
        0,
        [
          "warning: attn_q_a (2 modules) has no effect: llama.cpp v0.4.0 does not apply LoRA there on deepseek2\n",
          "warning: ffn_down_shexp (1 module) has no effect: its B is all zero, as before training\n",
        ].join(""),
      ]);
      expect((await callCli([...trim, "--no-check"])).stderr).toBe("");
    },
    ENGINE_START_MS,
  );

  it(
    "is served with the same said at the start",
    async () => {
      const stop = new AbortController();
      const { model, adapter } = fixture;
      const settings = serveSettingsSchema.parse({
        model,
        adapter,
        port: 0,
        gpu: "off",
        threads: 1,
        logLevel: "silent",
      });
      let notes: readonly string[] = [];
      await serve(settings, {
        signal: stop.signal,
        onListening: (listening) => {
          notes = listening.notes;
          stop.abort();
        },
      });
      expect(notes).toEqual([IGNORED, UNTRAINED]);
    },
    ENGINE_START_MS,
  );
});

describe("an adapter of which nothing acts", () => {
  it(
    "is refused for what it is: not applied, or zero",
    async () => {
      const fixture = await fixtureOf("deepseek2", "none.gguf", { attn_q_a: 1, attn_q_b: 1e-4, ffn_down_shexp: 0 });
      const { message } = await failureOf(AdapterError, () => sweep(tinySweep(fixture, join(folder.path, "none"), {})));
      expect(message).toContain(`${fixture.adapter} changes nothing on ${fixture.model}: `);
      expect(message).toContain(IGNORED);
      expect(message).toContain("attn_q_b (4 modules) has no effect: llama.cpp v0.4.0 does not apply LoRA there");
      expect(message).toContain(UNTRAINED);
    },
    ENGINE_START_MS,
  );

  it(
    "is refused as too small where its modules act, and change no logit all the same",
    async () => {
      const fixture = await fixtureOf("qwen3moe", "small.gguf", { attn_q: 1e-18 });
      const { message } = await failureOf(AdapterError, () =>
        sweep(tinySweep(fixture, join(folder.path, "small"), {})),
      );
      expect(message).toContain("changes nothing: K=0 and K=4 give equal logits");
      expect(message).toContain("too small to change a logit");
    },
    ENGINE_START_MS,
  );
});

describe("recurrent and hybrid models", () => {
  it.each([
    ["mamba2", { ssm_in: 1, ssm_out: 1 }],
    ["jamba", { attn_q: 1, ssm_in: 1, ffn_down: 1 }],
    ["falcon-h1", { attn_q: 1, ssm_in: 1, ffn_down: 1 }],
  ] as const)(
    "are swept like others: %s",
    async (architecture, kinds) => {
      const fixture = await fixtureOf(architecture, `${architecture}-lora.gguf`, kinds);
      const config = tinySweep(fixture, join(folder.path, architecture), { limit: 4, holdout: 0.5 });
      const result = await sweep(config);
      expect(result.candidates.map(({ boundary }) => boundary)).toEqual([0, 1, 2, 3, 4]);
      expect(result.adapter.withoutEffect).toBeUndefined();
      expect(JSON.stringify(result)).not.toContain("null,null");
    },
    ENGINE_START_MS,
  );
});
