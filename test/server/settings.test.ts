import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { assertSafeAddress, assertUsableKey, isLoopback, serveSettingsSchema } from "../../src/server/settings.js";

const settings = (given: object): Parameters<typeof assertSafeAddress>[0] => serveSettingsSchema.parse(given);

describe("where a server may listen", () => {
  it.each(["127.0.0.1", "localhost", "127.0.0.2", "::1"])("without a key on this machine: %s", (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => {
      assertSafeAddress(settings({ host }));
    }).not.toThrow();
  });

  it.each(["0.0.0.0", "::", "192.168.1.2", "example.com", "127.0.0.1.example.com"])(
    "elsewhere only with a key, or when asked for: %s",
    (host) => {
      expect(isLoopback(host)).toBe(false);
      expect(() => {
        assertSafeAddress(settings({ host }));
      }).toThrow(UsageError);
      for (const more of [{ apiKey: "k" }, { auth: false }]) {
        expect(() => {
          assertSafeAddress(settings({ host, ...more }));
        }).not.toThrow();
      }
    },
  );

  it("is this machine by default", () => {
    expect(settings({})).toMatchObject({ host: "127.0.0.1", auth: true, allowOrigin: [] });
  });
});

describe("an API key", () => {
  it.each([" key", "key ", "key\n", "\tkey", " ", "k\u0000y", "ключ"])(
    "is refused where no client can send it: %j",
    (apiKey) => {
      let message = "";
      try {
        assertUsableKey(settings({ apiKey }));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        ({ message } = error);
      }
      expect(message).toMatch(/^The API key /i);
      expect(message).not.toMatch(/k.?y\b(?<!API key)|ключ/);
    },
  );

  it.each(["key", "two words", "!#$%&'*+-.^_`|~", undefined])("is taken where they can: %j", (apiKey) => {
    expect(() => {
      assertUsableKey(settings(apiKey === undefined ? {} : { apiKey }));
    }).not.toThrow();
  });
});
