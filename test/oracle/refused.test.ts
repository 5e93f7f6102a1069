import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { openAdapter } from "../../src/adapter/open-adapter.js";
import { inspectAdapter } from "../../src/adapter/inspect.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { assertPeftFits } from "../../src/adapter/peft-to-gguf.js";
import { AdapterError, BoundaryError } from "../../src/errors.js";

interface Odd {
  name: string;
  verdict: "refuse" | "warn";
  holds: string;
  architecture?: string;
}

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const home = join(fixtures, "llama", "refused");
const odd = JSON.parse(readFileSync(join(home, "index.json"), "utf8")) as Odd[];

describe("adapters that llama.cpp cannot compute as PEFT does", () => {
  it.each(odd)("$name ($holds): $verdict", async ({ name, verdict }) => {
    const folder = join(home, name);
    const base = await readBaseModel(join(fixtures, "llama", "base.gguf"));
    const load = async (): Promise<readonly string[]> => {
      await (await openAdapter(folder, base)).close();
      return (await inspectAdapter(folder, base)).findings
        .filter(({ severity }) => severity !== "note")
        .map(({ code }) => code);
    };
    if (verdict === "warn") {
      expect(await load()).not.toEqual([]);
      return;
    }
    const error = await load().then(
      (codes) => new Error(`was loaded, with ${codes.join(", ") || "no finding"}`),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BoundaryError);
    expect((error as BoundaryError).parts.fix).toBeTruthy();
  });
});

describe("adapters for another model", () => {
  it.each([
    ["gemma2", "another architecture's modules"],
    ["phi3", "fused modules"],
  ])("a llama adapter on %s (%s) is refused", async (architecture) => {
    const adapter = await loadPeftAdapter(join(fixtures, "llama", "plain"));
    const base = await readBaseModel(join(fixtures, architecture, "base.gguf"));
    expect(() => {
      assertPeftFits(adapter, base);
    }).toThrow(AdapterError);
  });
});
