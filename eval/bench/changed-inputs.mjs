// Sweeps over the embedded demo whose model, adapter or data is replaced, cut short, altered in place or removed at a random moment. Whatever
// is left must be right: a result speaks of the files that gave it, and a journal holds no answer of any other file.
//
//   node eval/bench/changed-inputs.mjs [SWEEPS] [SEED]
import { createHash } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boundary, demo, pause } from "./queue-parts.mjs";
import { seededRandom } from "./seeded-random.mjs";

const [sweeps = "50", seed = "1"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "boundary-changed-"));
const say = (line) => process.stdout.write(`${line}\n`);
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

const draw = seededRandom(Number(seed));
const pick = (items) => items[Math.floor(draw() * items.length)];

const NAMES = { model: "model.gguf", adapter: "adapter.gguf", data: "validation.jsonl" };

/** Other bytes of the same length: weights for files of weights, another word in every question for data. */
function altered(which) {
  const bytes = readFileSync(join(demo, NAMES[which]));
  if (which === "data") return Buffer.from(bytes.toString("utf8").replaceAll("the", "teh"));
  const start = Math.floor(bytes.length / 2) & ~3;
  for (let i = start; i < bytes.length - 8; i += 4) bytes.writeUInt32LE((bytes.readUInt32LE(i) ^ 0x00155555) >>> 0, i);
  return bytes;
}

/** Writes over a file where it stands, so that whoever has it open or mapped sees the new bytes. */
function overwrite(path, bytes) {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
}

const CHANGES = {
  "altered in place": (path, which) => overwrite(path, altered(which)),
  "altered in place, its time set back": (path, which) => {
    const { atime, mtime } = statSync(path);
    overwrite(path, altered(which));
    utimesSync(path, atime, mtime);
  },
  replaced: (path, which) => {
    writeFileSync(`${path}.new`, altered(which));
    renameSync(`${path}.new`, path);
  },
  "cut short": (path) => truncateSync(path, Math.floor(statSync(path).size * 0.6)),
  appended: (path) => appendFileSync(path, "\n"),
  removed: (path) => rmSync(path),
  touched: (path) => utimesSync(path, new Date(), new Date()),
};

/** A sweep takes some seconds; one that has not ended by then never will. */
const LONGEST_MS = 120_000;

const argumentsOf = (place, out) => [
  ...["sweep", "--model", join(place, NAMES.model), "--adapter", join(place, NAMES.adapter)],
  ...[
    "--data",
    join(place, NAMES.data),
    "--gpu",
    "off",
    "--threads",
    "1",
    "--rule",
    "best",
    "--fixed-batch",
    "--quiet",
  ],
  ...["--limit", "24", "--boundaries", "0-8:2", "--out", out],
];

function place(name) {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  for (const file of Object.values(NAMES)) copyFileSync(join(demo, file), join(path, file));
  return path;
}

function journalOf(out) {
  const path = join(out, "journal.jsonl");
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return new Map(lines.map((line) => JSON.parse(line)).map(({ key, tokens }) => [key, tokens.join(" ")]));
}

/** What a run says, less its times and where its files lay. */
function evidenceOf(out) {
  const { candidates, choice, confirmation, verdict, model, adapter, data, trimmed } = JSON.parse(
    readFileSync(join(out, "result.json"), "utf8"),
  );
  const hashes = { model: model.sha256, adapter: adapter.sha256, data: data.sha256 };
  return { hashes, words: JSON.stringify([candidates, choice, confirmation, verdict, trimmed?.bytes]) };
}

/** An undisturbed run over files with these contents; each content is run once. */
const undisturbed = new Map();
async function referenceFor(from) {
  const key = Object.values(NAMES)
    .map((file) => sha256(join(from, file)))
    .join();
  const known = undisturbed.get(key);
  if (known) return known;
  const out = join(folder, `reference-${undisturbed.size}`);
  const run = boundary(argumentsOf(from, out));
  const code = await run.ended;
  const reference = code === 0 ? { rows: journalOf(out), ...evidenceOf(out) } : { rows: new Map(), output: run.output };
  undisturbed.set(key, reference);
  return reference;
}

const clean = await referenceFor(place("clean"));
const started = performance.now();
const timed = boundary(argumentsOf(place("timed"), join(folder, "timed-run")));
await timed.ended;
const usual = performance.now() - started;
say(`an undisturbed sweep takes ${(usual / 1000).toFixed(1)} s and gives ${clean.rows.size} answers`);

const counts = { "right result": 0, "named the file": 0, "other refusal": 0, WRONG: 0 };
for (let i = 0; i < Number(sweeps); i++) {
  const which = pick(["model", "model", "adapter", "adapter", "data"]);
  const change = pick(Object.keys(CHANGES));
  const own = place(`own-${i}`);
  const out = join(folder, `run-${i}`);
  const path = join(own, NAMES[which]);
  const at = draw() * usual;
  const run = boundary(argumentsOf(own, out));
  await Promise.race([pause(at), run.ended]);
  CHANGES[change](path, which);
  const code = await Promise.race([run.ended, pause(LONGEST_MS).then(() => "a hang")]);
  if (code === "a hang") run.signal("SIGKILL");
  const wrong = [];
  if (code === 0) {
    const found = evidenceOf(out);
    const from =
      found.hashes.model === clean.hashes.model && found.hashes.adapter === clean.hashes.adapter ? "clean" : `own-${i}`;
    const reference =
      found.hashes.data === clean.hashes.data ? await referenceFor(join(folder, from)) : await referenceFor(own);
    if (found.words !== reference.words) wrong.push("the result is not that of the files it names");
    if (JSON.stringify(found.hashes) !== JSON.stringify(reference.hashes)) wrong.push("hashes");
    for (const [key, tokens] of journalOf(out)) if (reference.rows.get(key) !== tokens) wrong.push(`row ${key}`);
    counts["right result"] += 1;
  } else {
    if (code !== 1 && code !== 2) wrong.push(`exit ${code}`);
    if (/\n\s+at .*:\d+:\d+/.test(run.output)) wrong.push("a stack trace");
    if (existsSync(join(out, "result.json"))) wrong.push("a result");
    if (existsSync(join(out, "trimmed.gguf"))) wrong.push("a trimmed adapter");
    counts[run.output.includes(path) ? "named the file" : "other refusal"] += 1;
    const rows = journalOf(out);
    const others = [...rows].filter(([key]) => !clean.rows.has(key)).length > 0 ? await referenceFor(own) : clean;
    for (const [key, tokens] of rows)
      if ((clean.rows.get(key) ?? others.rows.get(key)) !== tokens) wrong.push(`row ${key}`);
    // The file put back, the same call goes on to the undisturbed result, unless its answers began under the other file.
    copyFileSync(join(demo, NAMES[which]), path);
    if (others === clean && rows.size > 0) {
      const again = boundary(argumentsOf(own, out));
      if ((await again.ended) !== 0) wrong.push(`going on: ${again.output}`);
      else if (evidenceOf(out).words !== clean.words) wrong.push("going on gave another result");
    }
  }
  if (wrong.length > 0) counts.WRONG += 1;
  const outcome =
    code === 0 ? "result" : (run.output.trim().split("\n").at(-1) ?? "").replaceAll(folder, "").slice(0, 110);
  say(
    `${i} ${which} ${change} at ${(at / 1000).toFixed(1)} s: ${outcome}${wrong.length > 0 ? ` WRONG: ${wrong.slice(0, 3).join("; ")}` : ""}`,
  );
  rmSync(out, { recursive: true, force: true });
  rmSync(own, { recursive: true, force: true });
}
say(
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", "),
);
rmSync(folder, { recursive: true, force: true });
process.exitCode = counts.WRONG > 0 ? 1 : 0;
