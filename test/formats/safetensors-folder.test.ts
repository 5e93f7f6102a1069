import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, FormatError } from "../../src/errors.js";
import { readSafetensorsFolder } from "../../src/formats/safetensors-folder.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rawEntry, rawSafetensors } from "./raw-safetensors.js";

const root = temporaryFolder();
const INDEX = "adapter_model.safetensors.index.json";

/** Bytes of a file that holds one-byte tensors of these names. */
function holding(...names: string[]): Buffer {
  return rawSafetensors(`{${names.map((name, i) => rawEntry(name, "U8", [1], [i, i + 1])).join(",")}}`, names.length);
}

/** A folder with these files. */
async function folderOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(root.path, "folder-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const index = (map: unknown): string => JSON.stringify({ metadata: { total_size: 3 }, weight_map: map });
const read = (folder: string): ReturnType<typeof readSafetensorsFolder> =>
  readSafetensorsFolder(folder, "adapter_model");

describe("a folder", () => {
  it("with one file gives its tensors, and does not look at an index", async () => {
    const folder = await folderOf({ "adapter_model.safetensors": holding("a", "b"), [INDEX]: "not read" });
    const { files, tensors } = await read(folder);
    expect(files.map(({ path }) => path)).toEqual([join(folder, "adapter_model.safetensors")]);
    expect(tensors.map(({ name, path }) => [name, path])).toEqual(["a", "b"].map((name) => [name, files[0]?.path]));
  });

  it("with shards gives all their tensors, each shard read once, extra tensors kept", async () => {
    const folder = await folderOf({
      "one.safetensors": holding("a", "b"),
      "two.safetensors": holding("c", "extra"),
      [INDEX]: index({ c: "two.safetensors", a: "one.safetensors", b: "one.safetensors" }),
    });
    const { files, tensors } = await read(folder);
    expect(files.map(({ path }) => path)).toEqual([join(folder, "two.safetensors"), join(folder, "one.safetensors")]);
    expect(tensors.map(({ name }) => name)).toEqual(["c", "extra", "a", "b"]);
    expect(tensors[2]?.path).toBe(join(folder, "one.safetensors"));
  });

  it("with links that stay inside, or lead to the blobs of the Hugging Face cache, is read", async () => {
    const cache = await folderOf({});
    const folder = join(cache, "snapshots", "0123abc");
    await mkdir(folder, { recursive: true });
    await mkdir(join(cache, "blobs"));
    await writeFile(join(cache, "blobs", "e1"), holding("a"));
    await writeFile(join(folder, "two.safetensors"), holding("b"));
    await symlink("../../blobs/e1", join(folder, "one.safetensors"));
    await symlink("two.safetensors", join(folder, "link.safetensors"));
    await writeFile(join(folder, INDEX), index({ a: "one.safetensors", b: "link.safetensors" }));
    expect((await read(folder)).tensors.map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("what is missing", () => {
  it("is said: no folder, no weights, no shard", async () => {
    const nothing = await failureOf(FileError, () => read(join(root.path, "nothing")));
    expect(nothing.message).toContain("no such file or folder");
    const empty = await failureOf(FileError, async () => read(await folderOf({})));
    expect(empty.message).toContain("expected adapter_model.safetensors or adapter_model.safetensors.index.json");
    const noShard = await failureOf(FileError, async () =>
      read(await folderOf({ [INDEX]: index({ a: "x.safetensors" }) })),
    );
    expect(noShard.path).toContain("x.safetensors");
    const file = join(await folderOf({ file: "" }), "file");
    expect((await failureOf(FileError, () => read(file))).message).toContain("a file where a folder is needed");
  });

  it("a pickle is refused with the way to convert it", async () => {
    const folder = await folderOf({ "adapter_model.bin": "\u0080\u0002" });
    const error = await failureOf(FormatError, () => read(folder));
    expect(error.path).toBe(join(folder, "adapter_model.bin"));
    expect(error.message).toContain("is a pickle");
    expect(error.message).toContain(
      `python -c "from safetensors.torch import save_file; import torch; ` +
        `save_file(torch.load('adapter_model.bin', weights_only=True), 'adapter_model.safetensors')"`,
    );
  });
});

describe("an index is refused", () => {
  const shards = { "one.safetensors": holding("a"), "two.safetensors": holding("b") };
  it.each([
    ["that is no JSON", "{", "expected a string"],
    ["that is no object", "[]", 'expected "{"'],
    ["without a weight map", '{"metadata":{}}', "it has no weight_map"],
    ["with a weight map of another kind", '{"weight_map":[]}', 'expected "{"'],
    ["with a shard that is no string", index({ a: 1 }), "expected a string"],
    ["with a tensor twice", '{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}', "the key a occurs twice"],
    [
      "with a tensor that is in another shard",
      index({ a: "two.safetensors", b: "one.safetensors" }),
      "found it in one.safetensors",
    ],
    ["with a tensor that is nowhere", index({ a: "one.safetensors", z: "two.safetensors" }), "tensor z is not where"],
  ])("%s", async (_what, text, word) => {
    const error = await failureOf(FormatError, async () => read(await folderOf({ ...shards, [INDEX]: text })));
    expect(error.message).toContain(word);
  });

  it("whose shards hold a tensor twice", async () => {
    const files = {
      ...shards,
      "two.safetensors": holding("b", "a"),
      [INDEX]: index({ a: "one.safetensors", b: "two.safetensors" }),
    };
    const error = await failureOf(FormatError, async () => read(await folderOf(files)));
    expect(error.message).toContain("tensor a lies in one.safetensors and in two.safetensors");
  });

  it.each([
    ...[
      "../x.safetensors",
      "/etc/x.safetensors",
      "a/../../x.safetensors",
      "..",
      ".",
      "",
      "sub/x.safetensors",
      "./one.safetensors",
    ],
    ...["..\\x.safetensors", "C:x.safetensors", "C:\\x.safetensors", "\\\\host\\x.safetensors", ".hidden.safetensors"],
    ...[
      "one.safetensors\u0000.png",
      "one.safetensors/",
      "one.safetensors\n",
      "adapter_model.bin",
      "~/x",
      "file:///x.safetensors",
    ],
    ...["%2e%2e%2fx", "\u202eone.safetensors", "…/x.safetensors", `${"n".repeat(300)}.safetensors`, ".safetensors"],
  ])("that names the shard %j", async (name) => {
    const error = await failureOf(FormatError, async () =>
      read(await folderOf({ ...shards, [INDEX]: index({ a: name }) })),
    );
    expect(error.message).toContain("something else than a plain file name");
  });

  it("whose shard is a link out of the folder, a folder or a device", async () => {
    const outside = join(await folderOf({ "one.safetensors": holding("a") }), "one.safetensors");
    const linked = await folderOf({ [INDEX]: index({ a: "x.safetensors" }) });
    await symlink(outside, join(linked, "x.safetensors"));
    expect((await failureOf(FormatError, () => read(linked))).message).toContain("a link that leaves the folder");
    const nested = await folderOf({ [INDEX]: index({ a: "x.safetensors" }) });
    await mkdir(join(nested, "x.safetensors"));
    expect((await failureOf(FileError, () => read(nested))).message).toContain("a folder or device");
    const device = await folderOf({});
    await symlink("/dev/null", join(device, "adapter_model.safetensors"));
    expect((await failureOf(FileError, () => read(device))).message).toContain("expected a file");
  });
});
