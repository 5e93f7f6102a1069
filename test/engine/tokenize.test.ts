import { beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { chatFormatter } from "../../src/tasks/chat.js";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { CHATML, writeTinyModel } from "../support/tiny-model.js";

/** The tiny vocabulary's begin-of-sequence token. */
const BOS = "<|im_start|>";

describe.each([true, false])("a model that wants a begin-of-sequence token: %s", (addBos) => {
  const folder = temporaryFolder();
  let engine: Engine;
  let bos: number | undefined;

  const tokensOf = async (text: string): Promise<number[]> => (await engine.tokenize([text]))[0] ?? [];
  const chatTokens = async (chatTemplate: string): Promise<number[]> => {
    const path = await writeTinyModel(folder.path, "other.gguf", { architecture: "llama", addBos, chatTemplate });
    return tokensOf(chatFormatter(await readBaseModel(path), "chat", undefined)("hi"));
  };
  /** How many begin-of-sequence tokens stand at the start. */
  const leading = (tokens: readonly number[]): number => tokens.findIndex((token) => token !== bos);

  beforeAll(async () => {
    const path = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", addBos });
    engine = await openEngine({ modelPath: path, gpu: "off", gpuLayers: 0, threads: 1 });
    bos = (await tokensOf(BOS))[0];
    return () => engine.close();
  });

  it("gets one in front of a plain text, or none", async () => {
    expect(leading(await tokensOf("hi"))).toBe(addBos ? 1 : 0);
  });

  it("never gets two when the template writes one itself", async () => {
    expect(leading(await chatTokens(`{{ bos_token }}{{ messages[0]['content'] }}`))).toBe(1);
    expect(leading(await chatTokens(CHATML))).toBe(1);
  });

  it("recognises special tokens in a template's text", async () => {
    const tokens = await tokensOf(`${BOS}hi<|im_end|>`);
    expect(tokens).toHaveLength(4);
  });
});
