import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readVotes, votesPath, type VoteRow } from "../../src/vote/vote-file.js";
import { serveVotes, type VoteSettings } from "../../src/vote/page/serve-votes.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeVoteRun } from "../vote/vote-run.js";
import { axeViolations, hasChromium, openChromium, skippedWithout } from "./chromium.js";

const folder = temporaryFolder();

/** Would show as a message, a dialog or an error if it came to life. */
const HOSTILE = `</div></script><script>alert(1)</script><img src="http://localhost:9/x" onerror=alert(2)>\u202e{{7*7}}`;
const LONG = "A_context_that_is_long_".repeat(30);
/** Words that would tell a voter what is compared. */
const TELLING = /\b(chosen|full|base|holdout|selection|adapter|boundary)\b|K=/;

describe.skipIf(!hasChromium)(`voting in Chromium ${skippedWithout}`, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let seen: string[];
  let stopServer: () => Promise<void>;
  let number = 0;
  let run: string;

  beforeAll(async () => {
    browser = await openChromium();
  }, 60_000);
  afterAll(() => browser.close());
  beforeEach(async () => {
    run = join(folder.path, `run-${number++}`);
    await writeVoteRun(run, {
      counts: { selection: 6, holdout: 6 },
      sample: (i) => ({ question: i === 2 ? HOSTILE : `Where is number ${i}?`, context: LONG }),
      answer: (boundary, sample, part) => {
        if (part === "selection") return boundary === 4 ? "Rome" : `Paris ${boundary}`;
        if (sample === 0) return "alike";
        if (sample === 3 && boundary === 4) return "";
        return sample === 2 ? `${boundary} ${HOSTILE}` : `<b>${boundary}</b>\n  ${sample} ${LONG}`;
      },
    });
    context = await browser.newContext();
    page = await context.newPage();
    seen = [];
  });
  afterEach(async () => {
    await context.close();
    await stopServer();
  });

  /** Starts a vote and watches what its page does. */
  async function start(settings: Partial<VoteSettings> = {}): Promise<string> {
    const stop = new AbortController();
    let ended: Promise<void> = Promise.resolve();
    const url = await new Promise<string>((resolve, reject) => {
      const all: VoteSettings = {
        folder: run,
        systems: ["chosen", "full"],
        part: undefined,
        limit: undefined,
        seed: 0,
        voter: undefined,
        criteria: ["fluency", "accuracy"],
        host: "127.0.0.1",
        port: 0,
        apiKey: undefined,
        ...settings,
      };
      ended = serveVotes(all, {
        signal: stop.signal,
        onListening: (listening) => {
          resolve(listening.url);
        },
      });
      ended.catch(reject);
    });
    stopServer = () => {
      stop.abort();
      return ended;
    };
    page.on("console", (message) => seen.push(`console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => seen.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => {
      seen.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith("data:")) seen.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    return url;
  }

  const heading = (name: string): Promise<void> => page.getByRole("heading", { name, exact: true }).waitFor();
  const rows = async (): Promise<readonly VoteRow[]> => (await readVotes(votesPath(run))).rows;
  async function press(keys: string): Promise<void> {
    for (const key of keys) await page.keyboard.press(key);
  }
  async function enter(name: string): Promise<void> {
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await heading("Pair 1 of 5");
  }

  it("is done by keyboard alone, from the name to the thanks, each vote kept at once on its right side", async () => {
    await start();
    await enter("Ada");
    for (let pair = 1; pair <= 5; pair++) {
      await heading(`Pair ${pair} of 5`);
      expect(await rows()).toHaveLength(pair - 1);
      const a = (await page.locator("#a").textContent()) ?? "";
      await press("123");
      await heading(pair === 5 ? "Thank you" : `Pair ${pair + 1} of 5`);
      const row = (await rows()).at(-1);
      expect(row?.verdicts).toEqual({ fluency: "a", accuracy: "tie", overall: "b" });
      const boundary = row?.a === "chosen" ? "4" : "6";
      expect(a).toContain(row?.sample === "holdout-3" && boundary === "4" ? "(an empty answer)" : boundary);
    }
    expect(await page.locator("#end-text").textContent()).toContain("You voted on 5 of 5 pairs; every vote is kept.");
    expect(await page.locator("#progress").textContent()).toBe("Ada: 5 of 5 done");
    expect(new Set((await rows()).map(({ sample }) => sample)).size).toBe(5);
    expect(seen).toEqual([]);
  });

  it("goes on where a voter stopped after a reload, and lets another voter begin", async () => {
    await start();
    await enter("Ada");
    await press("111");
    await heading("Pair 2 of 5");
    await press("222");
    await heading("Pair 3 of 5");
    const shown = await page.locator("#a").textContent();
    await page.reload();
    await heading("Pair 3 of 5");
    expect(await page.locator("#a").textContent()).toBe(shown);
    expect(await page.locator("#progress").textContent()).toBe("Ada: 2 of 5 done");
    await page.getByRole("button", { name: "Another voter" }).click();
    await enter("Bo");
    expect(await page.locator("#progress").textContent()).toBe("Bo: 0 of 5 done");
    await press("333");
    await heading("Pair 2 of 5");
    expect((await rows()).map(({ voter }) => voter)).toEqual(["Ada", "Ada", "Bo"]);
    expect(seen).toEqual([]);
  });

  it("goes back to change a vote, skips, and comes back to what was skipped", async () => {
    await start();
    await enter("Ada");
    await press("111");
    await heading("Pair 2 of 5");
    await press("b");
    await heading("Pair 1 of 5");
    expect(await page.locator("#verdicts input:checked").count()).toBe(3);
    await press("333");
    await heading("Pair 2 of 5");
    expect((await rows()).map(({ verdicts }) => verdicts["overall"])).toEqual(["a", "b"]);
    for (const next of ["Pair 3 of 5", "Pair 4 of 5", "Pair 5 of 5", "Thank you"]) {
      await press("s");
      await heading(next);
    }
    expect(await page.locator("#progress").textContent()).toBe("Ada: 1 of 5 done, 4 skipped");
    await page.getByRole("button", { name: "Look at the skipped ones" }).click();
    await heading("Pair 2 of 5");
    await press("1u22");
    await press("2");
    await heading("Thank you");
    expect((await rows()).at(-1)?.verdicts).toEqual({ fluency: "tie", accuracy: "tie", overall: "tie" });
    expect(seen).toEqual([]);
  });

  it("works with pointer and button too, wants the whole answered, and leaves keys alone where they are switched off", async () => {
    await start();
    await enter("Ada");
    await page
      .getByRole("group", { name: /^Fluency/ })
      .getByLabel("A is better")
      .check();
    await page.getByRole("button", { name: "Save and go on" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("Answer “Overall” first");
    expect(await rows()).toEqual([]);
    await page.getByLabel("use these keys").uncheck();
    await press("s1");
    await page
      .getByRole("group", { name: /^Overall/ })
      .getByLabel("Tie")
      .check();
    await page.getByRole("button", { name: "Save and go on" }).click();
    await heading("Pair 2 of 5");
    expect((await rows()).map(({ verdicts }) => verdicts)).toEqual([{ fluency: "a", overall: "tie" }]);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  it("tells a voter nowhere whose answers they are: not in page, addresses, answers of the server, or order", async () => {
    const bodies: string[] = [];
    page.on("response", (response) => {
      void response.text().then((text) => bodies.push(response.url() + text));
    });
    await start();
    await enter("Ada");
    const sides: string[] = [];
    for (const voter of ["Ada", "Bo", "Cy", "Di"]) {
      if (voter !== "Ada") {
        await page.getByRole("button", { name: "Another voter" }).click();
        await enter(voter);
      }
      for (let pair = 1; pair <= 5; pair++) {
        await heading(`Pair ${pair} of 5`);
        const dom = await page.evaluate<string>("document.documentElement.outerHTML");
        expect(dom).not.toMatch(TELLING);
        await press("222");
        await heading(pair === 5 ? "Thank you" : `Pair ${pair + 1} of 5`);
        sides.push((await rows()).at(-1)?.a ?? "");
      }
    }
    expect(bodies.length).toBeGreaterThan(40);
    for (const body of bodies) expect(body).not.toMatch(TELLING);
    const chosenFirst = sides.filter((side) => side === "chosen").length;
    expect(chosenFirst).toBeGreaterThan(2);
    expect(chosenFirst).toBeLessThan(18);
    const storage = await page.evaluate<string>("JSON.stringify([{...localStorage}, {...sessionStorage}])");
    expect(JSON.parse(storage)).toEqual([{}, { voter: "Di" }]);
  });

  it("shows hostile questions and answers as text", async () => {
    await start();
    await enter(`<img src=x onerror=alert(3)>`);
    for (let pair = 1; pair <= 5; pair++) {
      await heading(`Pair ${pair} of 5`);
      expect(await page.locator("img, .text *").count()).toBe(0);
      expect(await page.evaluate("document.scripts.length")).toBe(1);
      await press("s");
      await heading(pair === 5 ? "Thank you" : `Pair ${pair + 1} of 5`);
    }
    expect(seen).toEqual([]);
  });

  it("breaks no rule of accessibility and is never wider than its window, light and dark, wide and narrow", async () => {
    await start();
    const check = async (): Promise<void> => {
      for (const [colorScheme, width] of [
        ["light", 1280],
        ["dark", 1280],
        ["light", 360],
        ["dark", 360],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
        expect(await axeViolations(page)).toEqual([]);
      }
    };
    await check();
    await enter("Ada");
    await press("1");
    await page.locator("#references summary").click();
    await check();
    for (const next of ["Pair 2 of 5", "Pair 3 of 5", "Pair 4 of 5", "Pair 5 of 5", "Thank you"]) {
      await press("s");
      await heading(next);
    }
    await check();
  });

  it("asks for the key where there is one, and again where it is wrong", async () => {
    await start({ apiKey: "secret", voter: "Ada" });
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("The API key is wrong.").waitFor();
    await page.getByLabel("Key", { exact: true }).fill("secret");
    await page.keyboard.press("Enter");
    await heading("Pair 1 of 5");
    await page.reload();
    await heading("Pair 1 of 5");
    expect(await page.getByRole("button", { name: "Another voter" }).count()).toBe(0);
  });

  it("says so where the server is gone, and keeps the vote on the page", async () => {
    await start();
    await enter("Ada");
    await stopServer();
    await press("111");
    await page.getByText("The server cannot be reached.").waitFor();
    expect(await page.locator("#verdicts input:checked").count()).toBe(3);
  });
});
