import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, it, beforeAll } from "vitest";
import type { ServingEngine } from "../../src/engine/serving/serving.js";
import { parseConfig } from "../../src/sweep/config.js";
import { sweep } from "../../src/sweep/sweep.js";
import { openServed, startServer, type RunningServer } from "../server/running-server.js";
import { killGroup, startCli } from "../support/cli.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { axeViolations, hasChromium, openChromium, skippedWithout, watchPage } from "./chromium.js";

/** Would show as a message, a dialog or an error if it came to life. */
const HOSTILE = `</p></script><script>alert(1)</script><img src="http://localhost:9/x" onerror=alert(2)>\u202e<style>*{display:none}</style>`;
const LAYERS = 4;
/** A request for so many tokens gets the scripted engine's answer at once; any other waits until nobody wants it. */
const AT_ONCE = 5;

const folder = temporaryFolder();

interface Recorded {
  readonly boundary: number;
  readonly sampleId: string;
  readonly output: string;
}

describe.skipIf(!hasChromium)(`the playground in Chromium ${skippedWithout}`, () => {
  let browser: Browser;
  let fixture: SweepFixture;
  let main: RunningServer;
  let scripted: RunningServer;
  let recorded: readonly Recorded[];
  const cancelled = { count: 0 };

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path, { samples: 6 });
    const { model, adapter, data } = fixture;
    const hostile = { id: "hostile", question: HOSTILE, context: HOSTILE, answers: [HOSTILE], kind: "other" };
    await appendFile(data, `${JSON.stringify(hostile)}\n`);
    const run = join(folder.path, "run");
    const fixed = { gpu: "off", threads: 1, maxTokens: 12, metric: "contains-plain", boundaries: "0,2,full" };
    await sweep(parseConfig({ model, adapter, data, out: run, ...fixed }));
    const lines = (await readFile(join(run, "outputs.jsonl"), "utf8")).trim().split("\n");
    recorded = lines.map((line) => JSON.parse(line) as Recorded);
    const served = await openServed({ run });
    main = await startServer(served);
    const engine = scriptedEngine(served.engine, cancelled);
    scripted = await startServer({ served: served.served, engine }, { limits: { parallel: 3 } });
    browser = await openChromium();
    return async () => {
      await browser.close();
      await main.close();
      await scripted.close();
      await served.close();
    };
  }, ENGINE_START_MS);

  /** Opens the page of a server, waits until it works, and holds at the end that it did nothing it should not. */
  async function withPage(
    { url }: { readonly url: string },
    use: (page: Page) => Promise<void>,
    options: BrowserContextOptions = {},
  ): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const seen = watchPage(page);
    try {
      await page.goto(`${url}/`);
      await page.locator("#play").waitFor();
      await page.locator("#sample-list option").first().waitFor({ state: "attached" });
      await use(page);
      expect(seen.filter((one) => !one.startsWith(`request: ${url}/`))).toEqual([]);
    } finally {
      await context.close();
    }
  }

  it("answers the sweep's samples with the sweep's answers, asked by the keyboard alone", async () => {
    await withPage(main, async (page) => {
      const ids = [...new Set(recorded.map(({ sampleId }) => sampleId))];
      expect(ids).toHaveLength(7);
      await tabTo(page, "boundary-number");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("2");
      await tabTo(page, "marks");
      await page.keyboard.press("Space");
      await tabTo(page, "sample-list");
      await page.keyboard.press("Home");
      let compared = 0;
      for (let asked = 0; asked < ids.length; asked += 1) {
        await page.keyboard.press("Control+Enter");
        await saidOf(page);
        const title = (await page.locator("#sample-list option:checked").textContent()) ?? "";
        const columns = [
          ["base", 0],
          ["boundary", 2],
          ["full", LAYERS],
        ] as const;
        for (const [column, boundary] of columns) {
          const row = recorded.find((one) => title.startsWith(`${one.sampleId} (`) && one.boundary === boundary);
          if (!row) continue;
          expect(await page.locator(`#${column}-text`).textContent()).toBe(row.output === "" ? "(empty)" : row.output);
          compared += 1;
        }
        await page.keyboard.press("ArrowDown");
      }
      expect(compared).toBe(recorded.length);
      expect(await page.locator("#base-tokens").textContent()).toMatch(/^\d+$/);
      expect(await page.locator("#base-first").textContent()).toMatch(/^\d+ ms$/);
      expect(await page.locator("#base-ended").textContent()).toMatch(/^(at the limit|by itself)$/);
    });
  });

  it("finds samples, shows their references, and nothing of them comes to life", async () => {
    await withPage(main, async (page) => {
      await tabTo(page, "sample-filter");
      await page.keyboard.type("number STANDS");
      await expect.poll(() => page.locator("#sample-count").textContent()).toBe("6 samples");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("hostile no such");
      await expect.poll(() => page.locator("#sample-details").textContent()).toBe("No sample fits the filter.");
      await page.keyboard.press("Control+Enter");
      expect(await page.getByRole("alert").textContent()).toBe("Pick a sample first.");
      expect(await focusedId(page)).toBe("sample-list");
      await page.locator("#sample-filter").fill("alert(1)");
      await expect.poll(() => page.locator("#sample-count").textContent()).toBe("1 sample");
      const reference = page
        .locator("#sample-details div")
        .filter({ has: page.locator("dt", { hasText: "reference" }) });
      expect(await reference.locator("dd").textContent()).toBe(HOSTILE);
      await page.keyboard.press("Control+Enter");
      await saidOf(page);
      expect(await page.locator("#asked-references").textContent()).toBe(`Reference: ${HOSTILE}`);
      expect(await page.locator("img").count()).toBe(0);
      expect(await page.evaluate("document.scripts.length")).toBe(1);
    });
  });

  it("asks the last column alone when K comes to rest elsewhere: by slider, number, curve", async () => {
    await withPage(main, async (page) => {
      const asked: string[] = [];
      page.on("request", (request) => {
        const body = request.postDataJSON() as { model: string; boundary?: number } | null;
        if (body) asked.push(`${body.model} ${body.boundary ?? ""}`.trim());
      });
      await page.locator("#slider").fill("1");
      expect(asked).toEqual([]);
      await page.keyboard.press("Control+Enter");
      await saidOf(page);
      expect(asked.sort()).toEqual(["base", "full", "full 1"]);
      asked.length = 0;
      await tabTo(page, "slider");
      await page.keyboard.press("ArrowRight");
      await expect.poll(() => page.locator("#said").textContent()).toMatch(/^boundary: \d+ tokens?$/);
      expect(await page.locator("#boundary-title").textContent()).toMatch(/^boundary K=2\b/);
      const name = /^K=4: /;
      await page.getByRole("button", { name }).click();
      await saidOf(page);
      expect(await page.locator("#boundary-number").inputValue()).toBe("4");
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toMatch(/^K=0: \d/);
      await page.keyboard.press("Enter");
      await saidOf(page);
      expect(asked).toEqual(["full 2", "full 4", "full 0"]);
      expect(await page.getByRole("button", { name: /^K=0: / }).getAttribute("aria-pressed")).toBe("true");
      expect(await page.locator("#slider").getAttribute("aria-valuetext")).toContain("K=0 of 4, the base model");
      await page.locator("#marks").uncheck();
      const textOf = (column: string): Promise<string | null> => page.locator(`#${column}-text`).textContent();
      expect(await textOf("boundary")).toBe(await textOf("base"));
    });
  });

  it("asks one's own prompt as a conversation, and tells which words differ", async () => {
    await withPage(main, async (page) => {
      await page.getByLabel("a prompt of my own").check();
      await page.keyboard.press("Control+Enter");
      expect(await page.getByRole("alert").textContent()).toBe("Write a prompt first.");
      await page.keyboard.type("Hello");
      await page.getByLabel("Most tokens").fill("0");
      await page.keyboard.press("Control+Enter");
      expect(await page.getByRole("alert").textContent()).toMatch(/^Most tokens: ./);
      await page.getByLabel("Most tokens").fill("9");
      await page.getByRole("checkbox", { name: "boundary K" }).uncheck();
      await page.keyboard.press("Enter");
      await saidOf(page);
      const ask = { max_tokens: 9, temperature: 0, messages: [{ role: "user" as const, content: "Hello" }] };
      const textOf = async (model: string): Promise<string> =>
        (await main.client.chat.completions.create({ model, ...ask })).choices[0]?.message.content ?? "";
      const [base, full] = [await textOf("base"), await textOf("full")];
      expect(base).not.toBe(full);
      expect(await page.locator("#full-text").textContent()).toBe(full);
      expect(await page.locator("#base-text ins").count()).toBeGreaterThan(0);
      expect(await page.locator("#base-text ins").first().ariaSnapshot()).toMatch(/only here: [^]* end/);
      await page.getByLabel("mark differences").uncheck();
      expect(await page.locator("#base-text").textContent()).toBe(base);
      expect(await page.locator("#boundary-column").isVisible()).toBe(false);
      await page.getByRole("checkbox", { name: "boundary K" }).check();
      expect(await page.locator("#boundary-state").textContent()).toBe("Not asked yet");
    });
  });

  it("shows whatever a model says as text, stops on demand, and gives an old answer up for a new one", async () => {
    await withPage(scripted, async (page) => {
      await page.getByLabel("a prompt of my own").check();
      await page.getByLabel("Prompt", { exact: true }).fill("Hello");
      await page.getByLabel("Most tokens").fill(String(AT_ONCE));
      await page.keyboard.press("Control+Enter");
      await saidOf(page);
      for (const column of ["base", "full", "boundary"]) {
        expect(await page.locator(`#${column}-text`).textContent()).toBe(HOSTILE);
      }
      expect(await page.locator("#columns img, #columns script, #columns style, ins + ins").count()).toBe(0);
      await page.getByLabel("Most tokens").fill("6");
      await page.keyboard.press("Control+Enter");
      await expect.poll(() => page.locator("#boundary-text").textContent()).toBe(HOSTILE);
      expect(await page.locator("#said").textContent()).toBe("");
      expect(await page.locator("#boundary-column").getAttribute("aria-busy")).toBe("true");
      await page.keyboard.press("Control+Enter");
      await expect.poll(() => cancelled.count).toBe(3);
      await expect.poll(() => page.locator("#boundary-text").textContent()).toBe(HOSTILE);
      await tabTo(page, "stop");
      await page.keyboard.press("Enter");
      expect(await saidOf(page)).toBe("base: stopped; full: stopped; boundary: stopped");
      await expect.poll(() => cancelled.count).toBe(6);
      expect(await page.locator("#full-state").textContent()).toBe("Stopped");
      expect(await page.locator("#full-text").textContent()).toBe(HOSTILE);
      expect(await focusedId(page)).toBe("stop");
    });
  });

  it("tells in the column when the queue is full, and when to try again", async () => {
    const { served, engine } = scripted;
    const busy = await startServer({ served, engine }, { limits: { parallel: 1, queue: 0 } });
    const page = await browser.newPage();
    try {
      await page.goto(`${busy.url}/`);
      await page.getByLabel("a prompt of my own").check();
      await page.getByLabel("Prompt", { exact: true }).fill("Hello");
      await page.keyboard.press("Control+Enter");
      const failed = page.locator('.column[data-state="failed"] .state');
      await expect.poll(() => failed.count()).toBe(2);
      expect(await failed.first().textContent()).toMatch(/in line already.* It may work in \d+ s\.$/);
      await page.getByRole("button", { name: "Stop" }).click();
      await expect.poll(() => page.locator("#said").textContent()).toContain("stopped");
    } finally {
      await page.close();
      await busy.close();
    }
  });

  it("breaks no rule of accessibility, light and dark, and is never wider than its window", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await withPage(
        main,
        async (page) => {
          await page.keyboard.press("Control+Enter");
          await saidOf(page);
          for (const width of [1280, 768, 360]) {
            await page.setViewportSize({ width, height: 900 });
            expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
            if (width !== 768) expect(await axeViolations(page)).toEqual([]);
          }
          const [base, full] = [
            await page.locator("#base-column").boundingBox(),
            await page.locator("#full-column").boundingBox(),
          ];
          expect(full?.y ?? 0).toBeGreaterThan(base?.y ?? 0);
          const paper = await page.evaluate("getComputedStyle(document.body).backgroundColor");
          expect(paper).toBe(colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 23, 28)");
          await page.getByLabel("a prompt of my own").check();
          expect(await axeViolations(page)).toEqual([]);
          expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
        },
        { colorScheme },
      );
    }
  });

  it(
    "asks for the key of `boundary serve`, keeps it for the tab, and does without a curve where no sweep is served",
    async () => {
      const { model, adapter } = fixture;
      const flags = ["--model", model, "--adapter", adapter, "--gpu", "off", "--threads", "1", "--port", "0"];
      const child = startCli(["serve", ...flags, "--log-level", "silent"], { BOUNDARY_API_KEY: "open sesame" });
      const context = await browser.newContext();
      try {
        const url = await addressOf(child);
        const page = await context.newPage();
        const seen = watchPage(page);
        await page.goto(url);
        await page.locator("#key-form").waitFor();
        expect(await focusedId(page)).toBe("key");
        expect(await axeViolations(page)).toEqual([]);
        await page.keyboard.type("open sesame");
        await page.keyboard.press("Enter");
        await page.locator("#play").waitFor();
        expect(page.url()).toBe(url);
        expect(await page.locator("#curve-block, #source").filter({ visible: true }).count()).toBe(0);
        await tabTo(page, "prompt");
        await page.keyboard.type("Hello");
        await page.keyboard.press("Control+Enter");
        expect(await saidOf(page)).toMatch(/^base: \d+ tokens?; full: /);
        await page.reload();
        await page.locator("#play").waitFor();
        expect(seen.filter((one) => !one.startsWith(`request: ${url}`))).toEqual([]);
        expect(await page.evaluate("localStorage.length + document.cookie.length")).toBe(0);
        const other = await context.newPage();
        await other.goto(url);
        await other.getByLabel("API key").fill("wrong");
        await other.keyboard.press("Enter");
        await expect.poll(() => other.locator("#failure").textContent()).toBe("The API key is wrong.");
        expect(await other.locator("#play").isVisible()).toBe(false);
      } finally {
        await context.close();
        killGroup(child);
      }
    },
    ENGINE_START_MS,
  );
});

/** An engine that says what no model should, at once or until nobody waits any more. */
function scriptedEngine(engine: ServingEngine, cancelled: { count: number }): ServingEngine {
  return {
    info: engine.info,
    ended: engine.ended,
    tokenize: (texts) => engine.tokenize(texts),
    nextTokenLogits: (request) => engine.nextTokenLogits(request),
    prepare: (pieces) => engine.prepare(pieces),
    status: () => engine.status(),
    close: () => engine.close(),
    answer: async ({ maxTokens }, { onDelta, signal } = {}) => {
      for (const text of HOSTILE.match(/[^]{1,20}/g) ?? []) onDelta?.({ text, choices: [] });
      if (maxTokens !== AT_ONCE) {
        if (signal && !signal.aborted) await once(signal, "abort");
        cancelled.count += 1;
      }
      const stopReason = maxTokens === AT_ONCE ? "eog" : "cancelled";
      const times = { queuedMs: 0, prefillMs: 1, decodeMs: 1, promptTokens: 1, reusedTokens: 0 };
      return { text: HOSTILE, tokens: [1, 2], stopReason, choices: [], ...times };
    },
  };
}

/** Goes by the Tab key to the element with this id. */
async function tabTo(page: Page, id: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    if ((await focusedId(page)) === id) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key does not lead to #${id}`);
}

async function focusedId(page: Page): Promise<unknown> {
  return page.evaluate("document.activeElement.id");
}

/** What is read out once all answers are there. */
async function saidOf(page: Page): Promise<string> {
  await expect.poll(() => page.locator("#said").textContent(), { timeout: 15_000 }).not.toBe("");
  return (await page.locator("#said").textContent()) ?? "";
}

/** The address that a starting server prints. */
async function addressOf(child: ChildProcess): Promise<string> {
  let said = "";
  const ended = once(child, "close").then(() => undefined);
  while (!said.includes("\n")) {
    const next = await Promise.race([once(child.stdout ?? child, "data"), ended]);
    if (!next) throw new Error("the server ended before it listened");
    said += String(next[0]);
  }
  return `${said.slice(0, said.indexOf("/v1"))}/`;
}
