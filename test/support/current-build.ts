import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Tests start processes of the built package: it is built anew where it is not that of the sources. */
export default function buildIfStale(): void {
  if (isCurrent()) return;
  rmSync(join(root, "dist"), { recursive: true, force: true });
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  chmodSync(join(root, "dist/cli/main.js"), 0o755);
}

function isCurrent(): boolean {
  if (!existsSync(join(root, "dist/index.js"))) return false;
  const sources = namesIn("src", ".ts");
  const built = namesIn("dist", ".js");
  if (sources.sort().join() !== built.sort().join()) return false;
  const newest = Math.max(
    ...sources.map((name) => statSync(join(root, "src", `${name}.ts`)).mtimeMs),
    ...["package.json", "tsconfig.json", "tsconfig.build.json"].map((name) => statSync(join(root, name)).mtimeMs),
  );
  return Math.min(...built.map((name) => statSync(join(root, "dist", `${name}.js`)).mtimeMs)) >= newest;
}

function namesIn(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && !name.endsWith(`.d${ending}`))
    .map((name) => name.slice(0, -ending.length));
}
