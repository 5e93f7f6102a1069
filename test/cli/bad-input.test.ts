import { cp, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exists } from "../../src/files/atomic-file.js";
import { RESULT_SCHEMA_VERSION } from "../../src/run/result.js";
import { runCli, type CliResult } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { sampleLines, sweepArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();
let fixture: SweepFixture;
let runs = 0;

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
});

function at(name: string): string {
  return join(folder.path, name);
}

/** Runs a sweep that must fail, and checks that it says so in one clear line and leaves nothing half written. */
async function failingSweep(changes: Partial<SweepFixture>, ...more: string[]): Promise<CliResult> {
  return failingSweepBy(callCli, changes, ...more);
}

async function failingSweepBy(
  run: (args: readonly string[]) => Promise<CliResult>,
  changes: Partial<SweepFixture>,
  ...more: string[]
): Promise<CliResult> {
  const out = at(`failing-${runs++}`);
  const result = await run(sweepArguments({ ...fixture, ...changes }, out, ...more));
  expect(result.stdout).toBe("");
  expect(result.stderr).toContain("error: ");
  expect(result.stderr).not.toMatch(/\n\s+at /);
  for (const name of ["result.json", "outputs.jsonl", "trimmed.gguf", ".lock", ".pieces"]) {
    expect(await exists(join(out, name))).toBe(false);
  }
  return result;
}

async function write(name: string, text: string): Promise<string> {
  await writeFile(at(name), text);
  return at(name);
}

describe("as a process of its own, with its exit code", () => {
  it("what a user can mend is 1, a wrong call 2", async () => {
    const missing = await failingSweepBy(runCli, { model: at("nowhere.gguf") });
    expect([missing.code, missing.stderr.split("\n")]).toEqual([1, [expect.stringContaining("nowhere.gguf"), ""]]);
    const metric = await failingSweepBy(runCli, {}, "--metric", "contians");
    expect([metric.code, metric.stderr.split("\n")]).toEqual([2, [expect.stringContaining("Did you mean"), ""]]);
  });

  it("unknown flags and commands are 2, and are said", async () => {
    const unknown = await callCli(["sweep", "--modle", "x"]);
    expect([unknown.code, unknown.stdout]).toEqual([2, ""]);
    expect(unknown.stderr).toContain("(Did you mean --model?)");
    const command = await runCli(["swep"]);
    expect([command.code, command.stdout]).toEqual([2, ""]);
    expect(command.stderr).toContain("(Did you mean sweep?)");
  });

  it("a failure of the engine is 1", async () => {
    const adapter = await writeTinyAdapter(folder.path, "idle.gguf", { architecture: "llama", strength: 0 });
    const { code, stderr } = await failingSweepBy(runCli, { adapter }, "--json");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: .*changes nothing.*\n$/)]);
  });
});

describe("a model or adapter that cannot be used", () => {
  it("missing", async () => {
    const { code, stderr } = await failingSweep({ model: at("nowhere.gguf") });
    expect(code).toBe(1);
    expect(stderr).toContain("nowhere.gguf: found no such file");
  });

  it("a folder", async () => {
    const { code, stderr } = await failingSweep({ model: folder.path });
    expect(code).toBe(1);
    expect(stderr).toContain("a folder");
  });

  it("not a GGUF", async () => {
    const { code, stderr } = await failingSweep({ model: await write("text.gguf", "hello, I am no model") });
    expect(code).toBe(1);
    expect(stderr).toMatch(/is not a GGUF file: found .*hell.*expected "GGUF"/);
  });

  it.each([
    ["model", 0.5],
    ["adapter", 0.9],
  ] as const)("a truncated %s", async (which, share) => {
    const path = at(`truncated-${which}.gguf`);
    await cp(fixture[which], path);
    await truncate(path, Math.floor((await readFile(path)).length * share));
    const { code, stderr } = await failingSweep({ [which]: path });
    expect(code).toBe(1);
    expect(stderr).toContain("truncated");
  });

  it("an adapter given as model, and the reverse", async () => {
    const swapped = await failingSweep({ model: fixture.adapter });
    expect([swapped.code, swapped.stderr]).toEqual([1, expect.stringContaining("is an adapter, not a base model")]);
    const reverse = await failingSweep({ adapter: fixture.model });
    expect([reverse.code, reverse.stderr]).toEqual([1, expect.stringContaining("is not an adapter")]);
  });

  it("an adapter for another architecture", async () => {
    const adapter = await writeTinyAdapter(folder.path, "qwen.gguf", { architecture: "qwen2" });
    const { code, stderr } = await failingSweep({ adapter });
    expect(code).toBe(1);
    expect(stderr).toMatch(/another architecture.*"qwen2".*"llama"/);
  });

  it("an adapter with more layers, or of another shape", async () => {
    const deep = await writeTinyAdapter(folder.path, "deep.gguf", { architecture: "llama", layers: 6 });
    const { code, stderr } = await failingSweep({ adapter: deep });
    expect(code).toBe(1);
    expect(stderr).toMatch(/more layers than the model.*blk\.4.*layers 0 to 3/);
  });

  it("an adapter that changes nothing", async () => {
    const adapter = await writeTinyAdapter(folder.path, "nothing.gguf", { architecture: "llama", strength: 0 });
    const { code, stderr } = await failingSweep({ adapter });
    expect(code).toBe(1);
    expect(stderr).toContain("attn_q (4 modules) has no effect: its B is all zero");
    expect(stderr).not.toContain("llama.cpp");
  });
});

describe("samples that cannot be used", () => {
  it("none", async () => {
    const { code, stderr } = await failingSweep({ data: await write("empty.jsonl", "") });
    expect(code).toBe(1);
    expect(stderr).toContain("no samples");
  });

  it("invalid JSON on a line, named", async () => {
    const lines = sampleLines(3).split("\n");
    lines[1] = `{"question": "broken`;
    const { code, stderr } = await failingSweep({ data: await write("broken.jsonl", lines.join("\n")) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken\.jsonl.*line 2/);
  });

  it("one without a reference, named", async () => {
    const data = await write("unanswered.jsonl", `${sampleLines(2)}{"id": "lonely", "question": "Who?"}\n`);
    const { code, stderr } = await failingSweep({ data });
    expect(code).toBe(1);
    expect(stderr).toMatch(/line 3.*answer/);
  });

  it("a prompt longer than the context, named; skipped when asked", async () => {
    const long = JSON.stringify({ id: "epic", question: "Who?", context: "far ".repeat(200), answer: "x" });
    const data = await write("long.jsonl", `${sampleLines(7)}${long}\n`);
    const { code, stderr } = await failingSweep({ data });
    expect(code).toBe(1);
    expect(stderr).toMatch(/epic does not fit the context.*--on-overflow skip/);
    const skipped = await callCli(
      sweepArguments({ ...fixture, data }, at("skipped"), "--on-overflow", "skip", "--boundaries", "0,full"),
    );
    expect(skipped.code).toBe(0);
    const result = JSON.parse(await readFile(join(at("skipped"), "result.json"), "utf8")) as {
      data: { skipped: { id: string }[] };
    };
    expect(result.data.skipped.map(({ id }) => id)).toEqual(["epic"]);
  });
});

describe("flags and settings that cannot be", () => {
  it.each([
    [["--boundaries", "9"], /boundary out of range.*"9".*0 \(the base model\) to 4/],
    [["--boundaries", "x-y"], /cannot read the boundaries.*"x-y"/],
    [["--metric", "contians"], /unknown metric.*Did you mean contains\?/],
    [["--task", "qaa"], /unknown task.*Did you mean qa\?/],
    [["--holdout", "1.5"], /holdout/],
    [["--limit", "0"], /limit/],
    [["--context-size", "6"], /context is too small for any answer/],
  ])("%j is refused", async (flags, message) => {
    const { code, stderr } = await failingSweep({}, ...flags);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("unknown flags and backends exit with 2", async () => {
    const unknown = await callCli(["sweep", "--modle", "x"]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("--model")]);
    const backend = await callCli(["sweep", "--gpu", "abacus"]);
    expect([backend.code, backend.stderr]).toEqual([2, expect.stringContaining("auto, cuda, metal, vulkan, off")]);
    expect((await callCli(["sweep"])).stderr).toContain("--model is missing");
  });

  it("an unknown key in the YAML file, with the nearest name", async () => {
    const config = await write("typo.yaml", "boundries: 0,4\n");
    const { code, stderr } = await failingSweep({}, "--config", config);
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown setting.*"boundries".*Did you mean boundaries\?/);
  });

  it("a context that memory cannot hold", async () => {
    const { code, stderr } = await failingSweep({}, "--context-size", "2000000000");
    expect(code).toBe(1);
    expect(stderr).toMatch(/not enough memory for the context.*available.*GiB/);
  });
});

describe("folders that cannot be written", () => {
  it("a folder with other files", async () => {
    await mkdir(at("full-of-things"));
    await writeFile(join(at("full-of-things"), "thesis.txt"), "mine");
    const { code, stderr } = await callCli(sweepArguments(fixture, at("full-of-things")));
    expect(code).toBe(2);
    expect(stderr).toMatch(/not the folder of a run.*thesis\.txt/);
    expect(await readdir(at("full-of-things"))).toEqual(["thesis.txt"]);
  });

  it.each(["/proc/boundary-run", "validation.jsonl/run"])("a place that cannot be: %s", async (place) => {
    const out = resolve(folder.path, place);
    const { code, stderr } = await callCli(sweepArguments(fixture, out));
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot write ${out}`);
  });

  it.each([
    ["a full disk", "size=32k", "no space left on the disk"],
    ["a read-only folder", "size=32k,ro", "a read-only file system"],
  ])("%s", async (_title, options, message) => {
    const disk = await mountedDisk(options);
    if (disk === undefined) return;
    try {
      const { code, stderr } = await callCli(sweepArguments(fixture, join(disk.path, "run")));
      expect(code).toBe(1);
      expect(stderr).toContain(message);
      expect(await exists(join(disk.path, "run", "result.json"))).toBe(false);
      const trim = await callCli(["trim", fixture.adapter, "--keep", "4", "--out", join(disk.path, "trimmed.gguf")]);
      expect(trim.code).toBe(1);
      expect((await readdir(disk.path)).filter((name) => name.startsWith("trimmed"))).toEqual([]);
    } finally {
      disk.unmount();
    }
  });

  /** A small disk of its own; undefined (said in the log) where this user may not mount one. */
  async function mountedDisk(options: string): Promise<{ path: string; unmount: () => void } | undefined> {
    const path = at(`disk-${options.replace(/\W/g, "-")}`);
    await mkdir(path);
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
    if (status !== 0) {
      console.warn("not checked: mounting a small disk needs root on Linux");
      return undefined;
    }
    return { path, unmount: () => void spawnSync("umount", [path]) };
  }
});

describe("--group-by", () => {
  it("is refused before anything is generated where the samples of one part lack the field", async () => {
    const rows = sampleLines(6).replaceAll('"kind"', '"sort"');
    const holdout = await write("no-kind.jsonl", rows.replaceAll('"id":"s', '"id":"h').replaceAll("number", "figure"));
    const { code, stderr } = await failingSweep({}, "--holdout", holdout, "--group-by", "kind");
    expect([code, stderr]).toEqual([2, expect.stringContaining("kind")]);
    expect(await exists(join(folder.path, `failing-${runs - 1}`, "journal.jsonl"))).toBe(false);
  });
});

describe("boundary trim", () => {
  it("writes the kept layers, refuses to overwrite, and refuses nothing and too much", async () => {
    const out = at("trimmed.gguf");
    const first = await callCli(["trim", fixture.adapter, "--keep", "2", "--out", out]);
    expect([first.code, first.stdout]).toEqual([0, expect.stringContaining("14 modules kept")]);
    const again = await callCli(["trim", fixture.adapter, "--keep", "2", "--out", out]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("--force")]);
    const nothing = await callCli(["trim", fixture.adapter, "--keep", "0", "--out", at("zero.gguf")]);
    expect([nothing.code, nothing.stderr]).toEqual([
      2,
      expect.stringContaining("Use the base model without an adapter"),
    ]);
    expect(await exists(at("zero.gguf"))).toBe(false);
    const tooMuch = ["trim", fixture.adapter, "--keep", "9", "--out", at("nine.gguf")];
    const asked = await callCli(tooMuch);
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining("--layer-count")]);
    const refused = await callCli([...tooMuch, "--model", fixture.model]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("0 to 4")]);
  });
});

describe("output", () => {
  it("--json puts one document and nothing else on stdout, without colours", async () => {
    const { code, stdout, stderr } = await runCli(
      sweepArguments(fixture, at("json"), "--json", "--boundaries", "0,full"),
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect((JSON.parse(stdout) as { schemaVersion: number }).schemaVersion).toBe(RESULT_SCHEMA_VERSION);
    expect(stdout).not.toContain("\u001b");
  });

  it("--plan prints what would be done and writes nothing", async () => {
    const { code, stdout } = await callCli(sweepArguments(fixture, at("planned"), "--plan", "--boundaries", "0,1"));
    expect(code).toBe(0);
    // K=0, K=1 and the full adapter, by which the rule measures them; on the holdout base, full and chosen.
    expect(stdout).toMatch(/cost\s+36 answers/);
    expect(stdout).toMatch(/samples\s+7 choose K, 5 confirm it/);
    expect(stdout).toMatch(/time\s+about/);
    expect(await exists(at("planned"))).toBe(false);
  });

  it("settings come from the YAML file, and a flag wins over it", async () => {
    const config = await write(
      "run.yaml",
      [
        `model: ${fixture.model}`,
        `adapter: ${fixture.adapter}`,
        `data: ${fixture.data}`,
        "gpu: off",
        "threads: 1",
        "max-tokens: 3",
        "boundaries: [0, 4]",
      ].join("\n"),
    );
    const { code, stdout } = await callCli([
      "sweep",
      "--config",
      config,
      "--out",
      at("from-file"),
      "--max-tokens",
      "4",
      "--json",
    ]);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { config: Record<string, unknown> }).config).toMatchObject({
      "max-tokens": 4,
      boundaries: "0,4",
      threads: 1,
    });
  });

  it("no other format than the table's, a chart and words at the end", async () => {
    const { code, stdout, stderr } = await callCli(sweepArguments(fixture, at("table"), "--boundaries", "0-full:2"));
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /K\s+contains \(plain\)\s+EM\s+F1\s+contains\s+tokens\/answer\s+prefill tok\/s\s+decode tok\/s\s+adapter bytes/,
    );
    expect(stdout).toContain("contains (plain) against K (selection)");
    expect(stdout).toMatch(/metric\s+base\s+full\s+chosen \(K=4\)\s+chosen - full\s+95 % interval\s+p\s+better\/worse/);
    // Six samples cannot show a loss below two points, whatever they are.
    expect(stdout).toMatch(/^No smaller boundary is shown to be as good: keep everything \(K=4\)\.$/m);
    expect(stdout).toContain("7 samples cannot show it");
    expect(stderr).toContain("jsonl");
    expect(stderr).toMatch(/\d+\/\d+ answers, holdout K=/);
    expect(stdout).not.toContain("\u001b");
  });
});

it("gemma and qwen2 models go through the whole sweep as well", async () => {
  for (const architecture of ["gemma", "qwen2"] as const) {
    const model = await writeTinyModel(folder.path, `${architecture}.gguf`, { architecture });
    const adapter = await writeTinyAdapter(folder.path, `${architecture}-lora.gguf`, { architecture });
    const { code, stdout } = await callCli(
      sweepArguments({ ...fixture, model, adapter }, at(`run-${architecture}`), "--json"),
    );
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { candidates: unknown[] }).candidates).toHaveLength(5);
  }
});
