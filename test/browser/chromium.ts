import axe from "axe-core";
import { existsSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";

/** Where Debian's package `chromium` puts it. */
const executablePath = "/usr/bin/chromium";

/** Whether there is a Chromium to test with, and what to add to a test's title where there is none. */
export const hasChromium = existsSync(executablePath);
export const skippedWithout = hasChromium ? "" : `(skipped: no ${executablePath}; Debian's chromium is it)`;

/** Starts Chromium with a profile of its own, which goes with it. It asks nobody for anything but the pages it is given. */
export async function openChromium(): Promise<Browser> {
  const quiet = ["background-networking", "component-update", "sync", "quic"].map((what) => `--disable-${what}`);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet] });
}

/** What a page did that it should not: messages, errors, dialogs, requests for anything but files and data. */
export function watchPage(page: Page): readonly string[] {
  const seen: string[] = [];
  page.on("console", (message) => seen.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    seen.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) seen.push(`request: ${request.url()}`);
  });
  return seen;
}

/** The rules of axe-core that the page breaks, each with the first element that does. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html.slice(0, 200)))`,
  );
}
