import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { RunFolderError, UsageError } from "../../src/errors.js";
import { requestFormatter } from "../../src/server/conversation.js";
import { openServedModel } from "../../src/server/served-model.js";
import { parseConfig } from "../../src/sweep/config.js";
import { sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { openServed, START_TIMEOUT, startServer, type RunningServer } from "./running-server.js";

interface Info {
  readonly layers: number;
  readonly run: {
    readonly metric: string;
    readonly chosen: number;
    readonly points: readonly { boundary: number; value: number; low: number; high: number }[];
    readonly generation: { maxTokens: number; stop: string[] };
  };
}

interface Samples {
  readonly total: number;
  readonly data: readonly { part: string; id: string; prompt: string; references: string[]; variables: object }[];
}

const folder = temporaryFolder();

describe("a server over a finished sweep", () => {
  let fixture: SweepFixture;
  let run: string;
  let running: RunningServer;

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path, { samples: 6 });
    run = join(folder.path, "run");
    const { model, adapter, data } = fixture;
    const fixed = { gpu: "off", threads: 1, maxTokens: 6, metric: "contains-plain", boundaries: "0,2,full" };
    await sweep(parseConfig({ model, adapter, data, out: run, ...fixed }));
    const served = await openServed({ run });
    running = await startServer(served);
    return async () => {
      await running.close();
      await served.close();
    };
  }, START_TIMEOUT);

  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${running.url}${path}`)).json()) as T;

  it("offers base, full and the chosen boundary as trimmed, and tells the curve", async () => {
    const info = await get<Info>("/v1/boundary/info");
    expect((await running.client.models.list()).data.map(({ id }) => id)).toEqual(["base", "full", "trimmed"]);
    expect(await running.client.models.retrieve("trimmed")).toMatchObject({ boundary: info.run.chosen });
    expect(info.run.metric).toBe("contains-plain");
    expect(info.run.points.map(({ boundary }) => boundary)).toEqual([0, 2, 4]);
    for (const { value, low, high } of info.run.points) expect(low <= value && value <= high).toBe(true);
    expect(JSON.stringify(info)).not.toContain(folder.path);
  });

  it("answers the sweep's samples with the sweep's answers, for every boundary and as trimmed", async () => {
    const { run: facts } = await get<Info>("/v1/boundary/info");
    const { data, total } = await get<Samples>("/v1/boundary/samples?limit=100");
    expect(total).toBe(6);
    expect(data).toHaveLength(6);
    expect(data[0]).toMatchObject({
      references: expect.any(Array) as unknown,
      variables: { question: expect.any(String) as unknown },
    });
    const outputs = (await readFile(join(run, "outputs.jsonl"), "utf8")).trim().split("\n");
    let compared = 0;
    for (const line of outputs) {
      const { boundary, sampleId, part, output } = JSON.parse(line) as {
        boundary: number;
        sampleId: string;
        part: string;
        output: string;
      };
      const prompt = data.find((one) => one.id === sampleId && one.part === part)?.prompt ?? "";
      const models = boundary === facts.chosen ? ["trimmed", `boundary-${boundary}`] : [`boundary-${boundary}`];
      for (const model of models) {
        const { maxTokens, stop } = facts.generation;
        const answer = await running.client.completions.create({ model, prompt, max_tokens: maxTokens, stop });
        expect(answer.choices[0]?.text).toBe(output);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(outputs.length);
  });

  it("pages through the samples", async () => {
    const page = await get<Samples>("/v1/boundary/samples?limit=2&offset=5");
    expect(page).toMatchObject({ total: 6, data: [{ id: expect.any(String) as unknown }] });
    expect((await fetch(`${running.url}/v1/boundary/samples?limit=0`)).status).toBe(400);
  });

  it("is not started with another model or adapter, or from a folder without a run", async () => {
    const other = join(folder.path, "other.gguf");
    const bytes = await readFile(fixture.model);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(other, bytes);
    expect((await failureOf(RunFolderError, () => openServedModel({ run, model: other }))).message).toContain(
      "not the model of the sweep",
    );
    await failureOf(RunFolderError, () => openServedModel({ run: folder.path }));
    await failureOf(UsageError, () => openServedModel({ model: fixture.model }));
  });

  it("asks under the chat template of the run, or the one that is named, and ends its answers", async () => {
    const out = join(folder.path, "alpaca");
    const { model, adapter, data } = fixture;
    const fixed = { gpu: "off", threads: 1, maxTokens: 2, metric: "contains-plain", boundaries: "0,full" };
    await sweep(parseConfig({ model, adapter, data, out, ...fixed, chatTemplate: "alpaca" }));
    const templates = [{ run: out }, { run: out, chatTemplate: "chatml" }, { run }].map(async (source) => {
      const served = await openServedModel(source);
      await served.close();
      const text = requestFormatter(served.model)?.([{ role: "user", content: "Hi" }]);
      return [text?.includes("### Instruction:"), text?.includes("<|im_start|>"), served.stop];
    });
    const [ofRun, named, own] = await Promise.all(templates);
    expect(ofRun).toEqual([true, false, ["### Instruction:"]]);
    expect(named).toEqual([false, true, ["<|im_end|>"]]);
    expect(own?.[2]).toEqual([]);
  });
});
