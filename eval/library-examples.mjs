// Runs the examples of docs/library.md as a stranger would: `node eval/library-examples.mjs FOLDER [THREADS]`, where FOLDER holds node_modules with
// lora-boundary. It writes each code block whose first line names a file, puts the demo's files beside them, and runs every block of commands; the engine
// takes so many threads, as many as there are cores if nothing is said.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [folder, threads] = process.argv.slice(2);
const page = readFileSync(join(root, "docs/library.md"), "utf8");
const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({ language, text }));

for (const name of ["model.gguf", "adapter.gguf", "validation.jsonl"]) {
  copyFileSync(join(root, "eval/demo", name), join(folder, name));
}
mkdirSync(join(folder, "runs"), { recursive: true });
const withThreads = (text) =>
  threads === undefined
    ? text
    : text
        .replace("--gpu off", `--gpu off --threads ${threads}`)
        .replace('gpu: "off"', `gpu: "off", threads: ${threads}`);
for (const { text } of blocks) {
  const file = /^(?:\/\/|\{#) (\S+\.\w+)/.exec(text)?.[1];
  if (file) writeFileSync(join(folder, file), withThreads(text).replace(/^\{# .*? #\}\n/, ""));
}
const PATH = [join(folder, "node_modules/.bin"), process.env.PATH].join(delimiter);
let failed = 0;
for (const { text } of blocks.filter(({ language }) => language === "bash")) {
  console.log(`$ ${text.trim()}`);
  const { status, stdout, stderr } = spawnSync("bash", ["-e"], {
    cwd: folder,
    env: { ...process.env, PATH, NO_COLOR: "1" },
    input: withThreads(text),
    encoding: "utf8",
  });
  console.log(`${stdout}${status === 0 ? "" : stderr}`);
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
