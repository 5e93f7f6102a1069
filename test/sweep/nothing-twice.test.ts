import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { meanMetric, registerMetric } from "../../src/index.js";
import { LikelihoodFile } from "../../src/run/likelihood-file.js";
import * as strategies from "../../src/strategy/strategy.js";
import { parseConfig } from "../../src/sweep/config.js";
import * as plans from "../../src/sweep/plan.js";
import { sweep } from "../../src/sweep/sweep.js";
import { writeSweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

vi.mock("../../src/sweep/plan.js", { spy: true });
vi.mock("../../src/strategy/strategy.js", { spy: true });

describe("a sweep", () => {
  const folder = temporaryFolder();

  it("does nothing twice: one layout, one strategy read, one file of likelihoods opened, one look at each answer to a sample", async () => {
    const looks = new Map<string, number>();
    const seen = (key: string): void => void looks.set(key, (looks.get(key) ?? 0) + 1);
    registerMetric(
      meanMetric({
        name: "watched",
        perSample: (answer, references) => {
          seen(JSON.stringify([references, answer]));
          return references.some((reference) => answer.includes(reference)) ? 1 : 0;
        },
      }),
    );
    const open = vi.spyOn(LikelihoodFile, "open");
    const result = await sweep(
      parseConfig({
        ...(await writeSweepFixture(folder.path)),
        out: join(folder.path, "run"),
        ...{
          gpu: "off",
          threads: 1,
          maxTokens: 6,
          strategy: "top:1-3:nll",
          screen: "nll",
          metrics: "watched",
          metric: "watched",
        },
        ...{ rule: "best" },
      }),
      { onProgress: () => undefined },
    );
    expect(result.candidates.length).toBeGreaterThan(3);
    expect(looks.size).toBeGreaterThan(6);
    expect([...looks.values()].filter((count) => count > 1)).toEqual([]);
    expect(open).toHaveBeenCalledTimes(1);
    expect(vi.mocked(plans.layOutSweep)).toHaveBeenCalledTimes(1);
    expect(vi.mocked(strategies.parseStrategy)).toHaveBeenCalledTimes(1);
  });
});
