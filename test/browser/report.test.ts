import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeReport, writeRunsReport } from "../../src/report/html/write-report.js";
import { usualAnswer, writeFinishedRun } from "../report/finished-run.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { axeViolations, hasChromium, openChromium, skippedWithout, watchPage } from "./chromium.js";

const folder = temporaryFolder();

/** Would show as a message, a dialog or an error if it came to life. */
const HOSTILE = `</p></script><script>alert(1)</script><img src="http://localhost:9/x" onerror=alert(2)>\u202e<style>*{display:none}</style>`;
const LONG = "A context that is long. ".repeat(20);

describe.skipIf(!hasChromium)(`reports in Chromium ${skippedWithout}`, () => {
  let browser: Browser;
  let page: Page;
  let seen: readonly string[];
  const addresses = { run: "", runs: "" };

  beforeAll(async () => {
    const run = join(folder.path, "run");
    await writeFinishedRun(run, {
      counts: { selection: 12, holdout: 12 },
      settings: { rule: "no-worse", margin: 40, groupBy: "kind", floor: "em=-30" },
      answer: (boundary, sample) => {
        if (boundary === 6 && sample === 1) return `${HOSTILE} Paris`;
        return sample === 7 && boundary < 6 ? "Rome, the old city" : usualAnswer(boundary, sample, 6);
      },
      sample: (sample) => ({ question: sample === 1 ? HOSTILE : `Where is number ${sample}?`, context: LONG }),
    });
    const stats = [
      { judge: "j", questions: 9, answered: 9, unparseable: 0, failures: {}, notAsked: 0, notes: ["a note"] },
    ];
    const score = { value: 70, low: 60, high: 80, n: 9, signature: "judges:j|scale:0-10" };
    const judge = { judges: ["j"], systems: [{ name: "full", score, stats }], pairs: [] };
    await writeFile(join(run, "judge.json"), JSON.stringify(judge));
    const row = { system: "chosen", against: "full", wins: 3, losses: 2, ties: 1 };
    addresses.run = pathToFileURL(await writeReport(run, { votes: { voters: 2, rows: [row], notes: [] } })).href;
    const runs = join(folder.path, "runs.html");
    await writeRunsReport([run, run], runs, 2);
    addresses.runs = pathToFileURL(runs).href;
    browser = await openChromium();
    page = await browser.newPage();
    seen = watchPage(page);
  }, 60_000);

  afterAll(async () => {
    await browser.close();
  });

  it.each(["run", "runs"] as const)(
    "page of the %s: no accessibility violation, light and wide, dark and narrow",
    async (which) => {
      for (const [colorScheme, width] of [["light", 1280] as const, ["dark", 360] as const]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        await page.goto(addresses[which]);
        expect(await axeViolations(page)).toEqual([]);
        const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        expect(background).toBe(colorScheme === "light" ? "rgb(255, 255, 255)" : "rgb(20, 23, 28)");
      }
    },
  );

  it("is never wider than its window, and has a chart for wide and one for narrow screens", async () => {
    for (const address of Object.values(addresses)) {
      await page.goto(address);
      for (const width of [1280, 768, 360]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
        const charts = await page.locator('figure div > svg[role="img"]').all();
        const shown = await Promise.all(charts.slice(0, 2).map((chart) => chart.isVisible()));
        expect(shown).toEqual([width > 704, width <= 704]);
      }
    }
  });

  it("fetches nothing, says nothing on the console, and runs nothing but its own script, whatever the answers hold", async () => {
    await page.goto(addresses.run);
    expect(await page.getByText("<script>alert(1)</script>").first().isVisible()).toBe(true);
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.evaluate("document.scripts.length")).toBe(1);
    expect(seen).toEqual([]);
  });

  it("filters and searches the samples from the keyboard, and opens those that are folded away where they match", async () => {
    await page.goto(addresses.run);
    const visible = (): Promise<number> => page.locator("[data-sample]").filter({ visible: true }).count();
    const total = await page.locator("[data-sample]").count();
    expect(total).toBe(12);
    const open = await visible();
    expect(open).toBeLessThan(total);
    const status = page.locator("#sample-count");
    expect(await status.textContent()).toBe("12 of 12 samples");
    await page.getByLabel("Search").focus();
    await page.keyboard.type("NUMBER 11?");
    expect([await visible(), await status.textContent()]).toEqual([1, "1 of 12 samples"]);
    expect(await page.locator("#same-samples").getAttribute("open")).not.toBeNull();
    await page.getByLabel("Search").fill("");
    await page.keyboard.press("Tab");
    await page.keyboard.type("scores that rose");
    const rose = await page.locator('[data-sample~="better"]').count();
    expect([await visible(), rose > 0]).toEqual([rose, true]);
    await page.keyboard.press("Enter");
    expect(page.url()).toBe(addresses.run);
  });

  it("is led by a link past the contents, and its scrolling tables can be reached", async () => {
    await page.setViewportSize({ width: 360, height: 900 });
    await page.goto(addresses.run);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the report");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await page.locator(".scroll").first().focus();
    expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toMatch(/^Selection: 12 samples/);
  });

  it("names its charts, and tells a screen reader which words differ", async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(addresses.run);
    const main = page.getByRole("img", { name: "contains against K", exact: true });
    expect(await main.count()).toBe(1);
    expect(await main.locator("desc").textContent()).toMatch(/^On the selection: K=0 \d+\.\d, K=1 /);
    const added = await page.locator(".sample ins").first().ariaSnapshot();
    expect(added).toMatch(/only here: .* end/);
    expect(await page.locator(".sample del").first().ariaSnapshot()).toMatch(/not in the other: .* end/);
  });

  it("is whole without scripts: every changed sample is there, and no form that would do nothing", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const still = await context.newPage();
    await still.goto(addresses.run);
    expect(await still.locator("form").isVisible()).toBe(false);
    const changed = still.locator('[data-sample~="changed"]');
    expect(await changed.filter({ visible: true }).count()).toBe(await changed.count());
    expect(await changed.count()).toBeGreaterThan(0);
    await context.close();
  });

  it("prints light, without what only a screen needs, and at most twenty samples", async () => {
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    await page.goto(addresses.run);
    expect(await page.evaluate("getComputedStyle(document.body).color")).toBe("rgb(28, 33, 40)");
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(await page.locator("form").isVisible()).toBe(false);
    expect(await page.locator("section#samples > .sample").filter({ visible: true }).count()).toBeLessThanOrEqual(20);
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    await page.emulateMedia({ media: "screen", colorScheme: "light" });
  });
});
