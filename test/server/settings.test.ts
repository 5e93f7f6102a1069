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
  it.each([" s3cret", "s3cret ", "s3cret\n", "\ts3cret", " ", "s3cret\u0000", "s3cret-ключ"])(
    "is refused where no client can send it, without being told: %j",
    (apiKey) => {
      const check = (): void => {
        assertUsableKey(settings({ apiKey }));
      };
      expect(check).toThrow(UsageError);
      expect(check).toThrow(/^(?!.*s3cret)the API key/i);
    },
  );

  it.each(["key", "two words", "!#$%&'*+-.^_`|~", undefined])("is taken where they can: %j", (apiKey) => {
    expect(() => {
      assertUsableKey(settings(apiKey === undefined ? {} : { apiKey }));
    }).not.toThrow();
  });
});
