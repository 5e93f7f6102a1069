import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

const { packages } = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")) as Lock;
const version = packages["node_modules/node-llama-cpp"]?.version;

it.each(["linux-x64", "linux-arm64", "mac-arm64-metal", "mac-x64", "win-x64", "win-arm64"])(
  "the lock file has llama.cpp for %s, of the release that is pinned, for those who can use it",
  (platform) => {
    const { version: own, optional } = packages[`node_modules/@node-llama-cpp/${platform}`] ?? {};
    expect([own, optional]).toEqual([version, true]);
  },
);

it.each(["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64", "win32-x64", "win32-arm64"])(
  "the lock file has koffi's library for %s",
  (platform) => {
    expect(packages[`node_modules/@koromix/koffi-${platform}`]?.optional).toBe(true);
  },
);
