// Writes every trimmed PEFT folder that expected.json has values for: OUT/<architecture>/<adapter>/<n>/, and OUT/index.json that says what
// each n is. check_trimmed.py runs it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPeftAdapter } from "../../dist/adapter/load-peft-adapter.js";
import { selectModules } from "../../dist/adapter/select-modules.js";
import { trimPeftAdapter } from "../../dist/adapter/trim-peft.js";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "fixtures");
const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node test/oracle/trim_all.mjs OUT");

const index = [];
for (const architecture of readdirSync(fixtures).sort()) {
  for (const name of readdirSync(join(fixtures, architecture)).sort()) {
    const source = join(fixtures, architecture, name);
    if (!existsSync(join(source, "expected.json"))) continue;
    const { layers, boundaries, masks } = JSON.parse(readFileSync(join(source, "expected.json"), "utf8"));
    const adapter = await loadPeftAdapter(source);
    const wanted = [
      ...boundaries.map((_, keep) => [
        `K=${keep}`,
        { boundary: keep },
        selectModules(adapter.modules, layers, { keep }),
      ]),
      ...masks.map(({ name: title, kept }, mask) => {
        const isKept = ({ layer, module }) =>
          kept.some((one) => one.layer === (layer ?? null) && one.module === module);
        return [title, { mask }, adapter.modules.filter(isKept)];
      }),
    ];
    for (const [n, [title, values, kept]] of wanted.entries()) {
      if (kept.length === 0) continue;
      const folder = join(out, architecture, name, String(n));
      mkdirSync(dirname(folder), { recursive: true });
      await trimPeftAdapter(adapter, kept, layers, folder, { overwrite: false });
      index.push({ architecture, adapter: name, title, folder, kept: kept.length, ...values });
    }
  }
}
writeFileSync(join(out, "index.json"), JSON.stringify(index));
