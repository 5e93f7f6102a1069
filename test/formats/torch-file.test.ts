import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/errors.js";
import { readPickle } from "../../src/formats/pickle.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { readTorchFile } from "../../src/formats/torch-file.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const oracle = (path: string): string => fileURLToPath(new URL(`../oracle/${path}`, import.meta.url));
const saved = readFileSync(oracle("kinds/pickled/adapter_model.bin"));

/** Bytes with one text in the place of another that is as long. */
function replaced(bytes: Buffer, from: string, to: string, start = 0): Buffer {
  if (from.length !== to.length) throw new RangeError(`${from} and ${to} differ in length`);
  const result = Buffer.from(bytes);
  const at = result.indexOf(from, start, "latin1");
  if (at < 0) throw new RangeError(`no ${from}`);
  result.write(to, at, "latin1");
  return result;
}

describe("files of torch.save", () => {
  const scratch = temporaryFolder();
  const file = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(scratch.path, name);
    await writeFile(path, bytes);
    return path;
  };

  it("hold the tensors that the same adapter has in safetensors, byte for byte", async () => {
    const { tensors } = await readTorchFile(oracle("kinds/pickled/adapter_model.bin"));
    const path = oracle("fixtures/llama/plain/adapter_model.safetensors");
    const safe = readFileSync(path);
    const expected = (await readSafetensorsHeader(path)).tensors;
    expect(tensors.map(({ name }) => name).sort()).toEqual(expected.map(({ name }) => name).sort());
    for (const { name, dtype, shape, offset, byteLength } of expected) {
      const found = tensors.find((tensor) => tensor.name === name);
      expect([found?.dtype, found?.shape]).toEqual([dtype, shape]);
      const bytes = saved.subarray(found?.offset ?? 0, (found?.offset ?? 0) + byteLength);
      expect(bytes.equals(safe.subarray(offset, offset + byteLength)), name).toBe(true);
    }
  });

  it.each([
    [
      "a call of something else",
      replaced(saved, "_rebuild_tensor_v2", "_rebuild_tensor_v9"),
      "it calls torch._utils _rebuild_tensor_v9",
    ],
    [
      "an import of the system",
      replaced(saved, "torch._utils\n_rebuild_tensor_v2", `${"posix".padEnd(12, "x")}\n${"system".padEnd(18, "x")}`),
      "it calls posix",
    ],
    ["another storage", replaced(saved, "FloatStorage", "FloatStorags"), "it refers to torch FloatStorags"],
    ["data that is not there", replaced(saved, "/data/0", "/data/x", saved.length / 2), "is not in it"],
    ["half a file", saved.subarray(0, saved.length / 2), "it is not the zip archive"],
    ["an old pickle", Buffer.from([0x80, 2, 0x8a, 10]), "it is not the zip archive"],
  ])("are refused for %s", async (name, bytes, words) => {
    const error = await failureOf(FormatError, async () => readTorchFile(await file(name, bytes)));
    expect(error.message).toContain(words);
    expect(error.message).toContain("weights_only=True");
  });

  it("never fail in another way, whatever byte is changed", async () => {
    for (let at = 0; at < saved.length; at += 97) {
      const bytes = Buffer.from(saved);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      const path = await file("fuzzed", bytes);
      await readTorchFile(path).catch((error: unknown) => {
        expect(error, `byte ${at}`).toBeInstanceOf(FormatError);
      });
    }
  });
});

describe("a pickle", () => {
  const refuse = (what: string): Error => new Error(what);
  it.each([
    ["an opcode beyond the few", [0x80, 2, 0x69, 0x2e], "opcode 0x69"],
    ["nothing on the stack", [0x80, 2, 0x2e], "damaged"],
    ["an end before STOP", [0x80, 2, 0x7d], "ends early"],
    ["no dictionary", [0x80, 2, 0x4b, 1, 0x2e], "not a dictionary"],
    ["a number by name", [0x80, 2, 0x7d, 0x8c, 1, 0x61, 0x4b, 1, 0x73, 0x2e], "something else than tensors"],
    ["a memory of nothing", [0x80, 2, 0x68, 5, 0x2e], "damaged"],
  ])("with %s is refused", (_, bytes, words) => {
    expect(() => readPickle(Buffer.from(bytes), refuse)).toThrow(words);
  });
});
