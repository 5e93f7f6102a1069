// Says whether docs/api is what typedoc makes of src/index.ts now; `make docs` writes it anew.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "boundary-api-"));
try {
  execFileSync(process.execPath, [join(root, "node_modules/typedoc/bin/typedoc"), "--out", folder], { cwd: root });
  const [kept, made] = [join(root, "docs/api"), folder].map((path) => readFileSync(join(path, "index.md"), "utf8"));
  if (kept !== made) {
    console.error("docs/api is not current: `make docs` writes it anew.");
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
