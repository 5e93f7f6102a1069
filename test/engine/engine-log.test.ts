import { describe, expect, it } from "vitest";
import { EngineLog, logMark } from "../../src/engine/engine-log.js";
import { withGivenPaths } from "../../src/engine/given-paths.js";

describe("the lines of a call", () => {
  it("are those between its beginning and its end, however the stream is cut", () => {
    const log = new EngineLog();
    log.begin(1);
    const written = `${logMark(1, "begins")}old failure\n${logMark(1, "ends")}`;
    for (const character of written) log.add(character);
    expect(log.end(1)).toEqual(["old failure"]);
    log.begin(2);
    log.add(`late line of the first\n${logMark(2, "begins")}new failure\npart`);
    expect(log.end(2)).toEqual(["new failure", "part"]);
  });

  it("are none where nothing was written, even after a call that wrote much", () => {
    const log = new EngineLog();
    log.begin(1);
    log.add(`${logMark(1, "begins")}${"line\n".repeat(50)}`);
    expect(log.end(1)).toHaveLength(20);
    log.begin(2);
    log.add(logMark(2, "begins"));
    expect(log.end(2)).toEqual([]);
  });

  it("are those that say something: not the frames of a backtrace behind them", () => {
    const log = new EngineLog();
    log.begin(1);
    log.add(`${logMark(1, "begins")}[error] CUDA error: no kernel image\n`);
    for (let frame = 0; frame < 30; frame++) {
      log.add(`/lib/libggml-cuda.so(_Z27ggml_cuda_op_rms_norm+0x1ca)[0x7f752b265f1a]\nnode[0x18a7b40]\n`);
    }
    expect(log.end(1)).toEqual(["[error] CUDA error: no kernel image"]);
  });

  it("are all read once the mark of the end is, before or after it is waited for", async () => {
    const log = new EngineLog();
    log.begin(1);
    log.add(`${logMark(1, "begins")}first\n`);
    const read = log.untilEnd(1);
    log.add(`second\n${logMark(1, "ends")}`);
    await read;
    expect(log.end(1)).toEqual(["first", "second"]);
    log.begin(2);
    log.add(`${logMark(2, "begins")}third\n${logMark(2, "ends")}`);
    await log.untilEnd(2);
    expect(log.end(2)).toEqual(["third"]);
  });
});

describe("paths in the engine's messages", () => {
  const piece = { path: "/tmp/x/piece.gguf", paddedPath: "/tmp/x/piece-padded.gguf", givenPath: "my/lora", scale: 1 };
  const context = { sequences: 1, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" } as const;

  it("are those that the user gave", () => {
    const message = "cannot load /tmp/x/piece-padded.gguf or /tmp/x/piece.gguf";
    const asked = "cannot load my/lora or my/lora";
    expect(withGivenPaths(message, { pieces: [piece], context, tokens: [] })).toBe(asked);
    expect(withGivenPaths(message, [piece])).toBe(asked);
    const boundary = { boundary: 1, pieces: [piece] };
    expect(withGivenPaths(message, { full: [], boundary, context, tokens: [] })).toBe(asked);
    const shared = { full: [], boundaries: [boundary], context, prompts: [], maxTokens: 1, stop: [] };
    expect(withGivenPaths(message, shared)).toBe(asked);
  });

  it("name the model of which a copy is open", () => {
    const options = { modelPath: "/tmp/f32.gguf", givenPath: "a copy of base.gguf", gpu: "off", gpuLayers: 0 } as const;
    expect(withGivenPaths("no /tmp/f32.gguf", { ...options, usableCores: 1 })).toBe("no a copy of base.gguf");
  });
});
