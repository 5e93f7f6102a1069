// One sweep over the embedded demo on a queue with a key and two workers, attacked by a client that knows the password of Redis but not the key: forged,
// changed, repeated and removed jobs, answers, announcements and content of every kind. It must end in the result file of a local sweep.
//
//   node eval/bench/queue-attack.mjs [ATTACKS] [SEED] [HURRY]
//
// HURRY makes the waits of the queue shorter by that factor.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { freePort } from "./free-port.mjs";
import { Attacker } from "./queue-attack/attacker.mjs";
import { kinds, rare } from "./queue-attack/kinds.mjs";
import {
  boundary,
  demoSweep,
  demoWorker,
  journalOf,
  pause,
  redisServer,
  resultOf,
  writeDemoSamples,
} from "./queue-parts.mjs";
import { seededRandom } from "./seeded-random.mjs";

const [attacks = "500", seed = "1", hurry = "1"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "boundary-attack-"));
const port = await freePort();
const url = `redis://:the-password@127.0.0.1:${port}`;
const env = { BOUNDARY_REDIS: url, BOUNDARY_QUEUE_KEY: "a key that the attacker has not got" };
/** Most resident memory of a process, in MiB: a worker takes about 200 without an attack. */
const MOST_MEMORY = 900;
/** A worker that ends is started again, as systemd would; not more often than this. */
const MOST_RESTARTS = 3;
const CACHE_BYTES = 50e6;
const say = (line) => process.stdout.write(`${line}\n`);

const draw = seededRandom(Number(seed));

const data = join(folder, "data.jsonl");
writeDemoSamples(data, Math.max(1, Math.ceil(Number(attacks) / 170)));
/** A few attacks need a short sweep. */
const quick = Number(attacks) < 100 ? ["--boundaries", "0-8:2", "--limit", "60"] : [];
const sweepArguments = (out, ...more) => demoSweep(join(folder, out), { data, more: [...quick, ...more] });

mkdirSync(join(folder, "redis"));
const redis = await redisServer(join(folder, "redis"), port, {
  flags: ["--requirepass", "the-password", "--appendonly", "no"],
});
const startWorker = (name) =>
  boundary([...demoWorker(name, join(folder, "cache"), 3), "--redis", url, "--cache-size", String(CACHE_BYTES)], {
    env,
    hurry: Number(hurry),
  });
const workers = ["a", "b"].map((name) => ({ name, process: startWorker(name), restarts: 0 }));
process.on("exit", () => {
  for (const one of [redis, ...workers.map(({ process: worker }) => worker)]) one.signal("SIGKILL");
});
const local = boundary(sweepArguments("local", "--quiet"));
if ((await local.ended) !== 0) throw new Error(local.output);
const attacker = new Attacker(url, draw);
attacker.watch();
while (!(await attacker.findQueue())) await pause(100);

const coordinator = boundary(sweepArguments("remote", "--redis"), { env, hurry: Number(hurry) });
const started = performance.now();
const memory = new Map();
const watching = setInterval(() => {
  for (const one of [...workers, { name: "coordinator", process: coordinator }]) {
    memory.set(one.name, Math.max(memory.get(one.name) ?? 0, residentMiB(one.process.child.pid)));
    if (one.restarts === undefined || one.process.code === undefined) continue;
    say(`worker ${one.name} ended: ${one.process.output.trimEnd().split("\n").at(-1)}`);
    one.process = startWorker(one.name);
    one.restarts += 1;
  }
}, 100);

const answered = () => (existsSync(join(folder, "remote/journal.jsonl")) ? journalOf(join(folder, "remote")).rows : 0);
say("attack begins");
while (attacker.jobs.length === 0 && coordinator.code === undefined) await pause(20);
let refused = 0;
const counts = {};
const names = Object.keys(kinds);
const seldom = Object.keys(rare);
const every = Math.max(20, Math.floor(Number(attacks) / (2 * seldom.length)));
for (let i = 0; i < Number(attacks) && coordinator.code === undefined; i++) {
  const isRare = i % every === every - 1;
  const name = isRare
    ? seldom[Math.floor(i / every) % seldom.length]
    : names[(i + Math.floor(draw() * 3)) % names.length];
  const begun = performance.now();
  // Attacks that undo each other are answered with errors.
  await Promise.resolve((isRare ? rare : kinds)[name](attacker)).catch(() => (refused += 1));
  if (performance.now() - begun > 3000) say(`${name} took ${Math.round(performance.now() - begun)} ms`);
  counts[name] = (counts[name] ?? 0) + 1;
  if (i % 50 === 49)
    say(`${((performance.now() - started) / 1000).toFixed(0)} s: ${i + 1} attacks, ${answered()} answers`);
  await pause(20 + 60 * draw());
}
const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
const late = setTimeout(() => coordinator.signal("SIGKILL"), 600_000);
await coordinator.ended;
clearTimeout(late);
clearInterval(watching);
const alive = workers.filter((one) => one.process.code === undefined).length;
attacker.close();
for (const one of workers) one.process.signal("SIGKILL");
redis.signal("SIGKILL");

const failures = [];
const check = (holds, what) => holds || failures.push(what);
check(
  coordinator.code === 0,
  `the sweep ended with ${coordinator.code}: ${coordinator.output.trimEnd().split("\n").slice(-5).join("\n")}`,
);
if (coordinator.code === 0) {
  check(resultOf(join(folder, "remote")) === resultOf(join(folder, "local")), "THE RESULT DIFFERS");
  check(answersOf("remote") === answersOf("local"), "THE ANSWERS DIFFER");
}
check(alive === workers.length, `${alive} of ${workers.length} workers are there at the end`);
check(
  workers.every(({ restarts }) => restarts <= MOST_RESTARTS),
  "a worker ended again and again",
);
for (const [name, mib] of memory) check(mib < MOST_MEMORY, `${name} took ${mib} MiB`);
const files = filesBelow(folder).filter((path) => !/^(data\.jsonl$|redis|local\/|remote\/)/.test(path));
const strange = files.filter((path) => !/^cache\/(adapters|pieces)\/[0-9a-f]{64}(-padded)?\.gguf$/.test(path));
check(strange.length === 0, `files outside the cache: ${strange.join(", ")}`);
const cached = files.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
check(cached <= CACHE_BYTES, `the cache holds ${cached} bytes`);

const seconds = ((performance.now() - started) / 1000).toFixed(0);
say(`${done} attacks of ${Object.keys(counts).length} kinds (${refused} refused by Redis), seed ${seed}, ${seconds} s`);
say(
  `restarts of workers: ${workers.map(({ restarts }) => restarts).join(", ")}; cache ${files.length} files, ${cached} bytes`,
);
say(`memory: ${[...memory].map(([name, mib]) => `${name} ${mib} MiB`).join(", ")}`);
say(failures.length === 0 ? "the result is the local one" : `FAILED: ${failures.join("\n")}`);
process.exitCode = failures.length === 0 ? 0 : 1;
if (failures.length === 0) rmSync(folder, { recursive: true, force: true });
else {
  writeFileSync(join(folder, "coordinator.log"), coordinator.output);
  for (const one of workers) writeFileSync(join(folder, `worker-${one.name}.log`), one.process.output);
  say(`kept: ${folder}`);
}

/** Answers in a journal, whoever gave them and however long it took. */
function answersOf(out) {
  const lines = readFileSync(join(folder, out, "journal.jsonl"), "utf8")
    .split("\n")
    .slice(0, -1);
  return lines
    .map((line) => JSON.parse(line))
    .map(({ key, output, tokens, stop }) => JSON.stringify([key, output, tokens, stop]))
    .sort()
    .join("\n");
}

function residentMiB(pid) {
  try {
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

function filesBelow(path) {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)));
}
