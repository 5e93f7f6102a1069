import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { openEngine } from "../../src/engine/process-engine.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();

/** Processes of engines that this process has started. */
function hosts(): number[] {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    return parent === process.pid && pid !== undefined && /engine\/host\./.test(line) ? [pid] : [];
  });
}

describe.skipIf(process.platform === "win32")("a kept process of an engine", () => {
  it("takes the next model, and is not taken once it has died", async () => {
    const modelPath = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama" });
    const open = async (): Promise<number[][]> => {
      const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
      try {
        return await engine.tokenize(["a b"]);
      } finally {
        await engine.close();
      }
    };
    const first = await open();
    const kept = hosts();
    expect(kept.length).toBeGreaterThan(0);
    expect(await open()).toEqual(first);
    expect(hosts()).toEqual(kept);
    for (const pid of kept) process.kill(pid, "SIGKILL");
    do await new Promise((resolve) => setTimeout(resolve, 50));
    while (hosts().length > 0);
    expect(await open()).toEqual(first);
  });
});
