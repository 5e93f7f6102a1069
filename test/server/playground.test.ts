import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventReader } from "../../src/server/playground/browser/event-reader.js";
import { wordChanges, type Change } from "../../src/server/playground/browser/word-changes.js";
import { documentText } from "../../src/server/playground/document.js";
import { tinyServer } from "./running-server.js";

const tiny = tinyServer();

describe("the playground's page", () => {
  it("comes under a policy that lets in its own scripts alone, without a key, and is the same for everybody", async () => {
    await tiny.withServer({ apiKey: "secret" }, async ({ url }) => {
      const page = await fetch(`${url}/`);
      expect(page.status).toBe(200);
      const policy = page.headers.get("content-security-policy") ?? "";
      for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
        expect(policy.split("; ")).toContain(part);
      }
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(page.headers.get("x-content-type-options")).toBe("nosniff");
      expect(page.headers.get("referrer-policy")).toBe("no-referrer");
      expect(page.headers.get("x-frame-options")).toBe("DENY");
      expect(await page.text()).toBe(documentText({ keyNeeded: true }));
      expect((await fetch(`${url}/v1/boundary/info`)).status).toBe(401);
    });
    expect(await (await fetch(`${tiny.main.url}/`)).text()).toBe(documentText({ keyNeeded: false }));
  });

  it("is served with every module that its script imports, as scripts, and with nothing else beside them", async () => {
    const seen = new Set<string>();
    const follow = async (name: string): Promise<void> => {
      if (seen.has(name)) return;
      seen.add(name);
      const response = await fetch(`${tiny.main.url}/playground/${name}`);
      expect([name, response.status, response.headers.get("content-type")]).toEqual([
        name,
        200,
        "text/javascript; charset=utf-8",
      ]);
      const text = await response.text();
      expect(text).not.toContain("sourceMappingURL");
      const specifiers = [...text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gm)].map(
        ([, found = ""]) => found,
      );
      for (const specifier of specifiers) {
        expect(specifier).toMatch(/^\.\/[a-z-]+\.js$/);
        await follow(specifier.slice(2));
      }
    };
    await follow("main.js");
    expect(seen.size).toBeGreaterThan(5);
    for (const path of ["document.js", "main.js.map", "main.d.ts", "..%2f..%2fcli%2fmain.js", ""]) {
      expect((await fetch(`${tiny.main.url}/playground/${path}`)).status).toBe(404);
    }
  });

  it("has each id once", () => {
    const ids = [...documentText({ keyNeeded: true }).matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(40);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("the differences of two answers", () => {
  const words = fc.array(fc.constantFrom("the", "horse", "cup", "is", ".", "été", "木"), { maxLength: 30 });
  const texts = words.map((all) => all.join(" "));
  const made = (changes: readonly Change[], ...kinds: readonly Change["kind"][]): string =>
    changes
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ text }) => text)
      .join("");
  const compact = (text: string): string => text.replace(/\s/g, "");

  it("make the one text, and of the other all but white space", () => {
    fc.assert(
      fc.property(fc.oneof(texts, fc.string({ unit: "grapheme" })), texts, (from, to) => {
        const changes = wordChanges(from, to);
        expect(made(changes, "same", "added")).toBe(to);
        expect(compact(made(changes, "same", "removed"))).toBe(compact(from));
        for (const [i, change] of changes.entries()) expect(change.kind).not.toBe(changes[i + 1]?.kind);
      }),
    );
  });

  it("are none between equal texts, keep as many words as can be kept, and take no time with long texts", () => {
    expect(wordChanges("a b", "a  b\n").map(({ kind }) => kind)).toEqual(["same"]);
    expect(wordChanges("The cup is brown.", "The old cup was brown.")).toEqual([
      { text: "The ", kind: "same" },
      { text: "old ", kind: "added" },
      { text: "cup ", kind: "same" },
      { text: "is ", kind: "removed" },
      { text: "was ", kind: "added" },
      { text: "brown.", kind: "same" },
    ]);
    const [long, other] = ["x ".repeat(9000), "y ".repeat(9000)];
    expect(wordChanges(long, other)).toEqual([
      { text: long, kind: "removed" },
      { text: other, kind: "added" },
    ]);
  });
});

describe("the reader of server-sent events", () => {
  it("finds the same events however the stream is cut", () => {
    const data = fc.array(
      fc.json().filter((text) => !text.includes("\n")),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(data, fc.array(fc.nat(400), { maxLength: 12 }), (events, cuts) => {
        const stream = events.map((event) => `data: ${event}\n\n`).join("");
        const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length];
        const reader = new EventReader();
        const found = places.slice(1).flatMap((end, i) => reader.push(stream.slice(places[i], end)));
        expect(found).toEqual(events);
      }),
    );
  });

  it("joins the lines of an event and leaves out comments", () => {
    expect(new EventReader().push(": still here\n\nevent: x\r\ndata: a\r\ndata:b\r\n\r\ndata: rest")).toEqual(["a\nb"]);
  });
});
