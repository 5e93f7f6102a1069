// One sweep over the embedded demo on a queue with three workers, in which workers, the coordinator and Redis are killed or made to hang at
// random; it must end in the result file of a local sweep.
//
//   node eval/bench/queue-kills.mjs [KILLS] [SEED]
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.mjs";
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

const [kills = "50", seed = "1"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "boundary-kills-"));
const port = await freePort();
const url = `redis://127.0.0.1:${port}`;
const say = (line) => process.stdout.write(`${line}\n`);

const draw = seededRandom(Number(seed));
const between = (low, high) => low + draw() * (high - low);

const data = join(folder, "data.jsonl");
writeDemoSamples(data, Math.max(4, Math.ceil(Number(kills) / 5)));

const sweepArguments = (out, ...more) => demoSweep(join(folder, out), { data, more });
const worker = (name) => boundary([...demoWorker(name, join(folder, "cache"), 4), "--redis", url]);

mkdirSync(join(folder, "redis"));
say("local sweep ...");
const local = boundary(sweepArguments("local", "--quiet"));
if ((await local.ended) !== 0) throw new Error(local.output);

let redis = await redisServer(join(folder, "redis"), port);
const workers = ["a", "b", "c"].map((name) => ({ name, process: worker(name) }));
const coordinator = { process: boundary(sweepArguments("remote", "--redis", url)), starts: 1 };
const counts = { worker: 0, coordinator: 0, redis: 0, hang: 0 };
const started = performance.now();
await pause(5000);

const faults = {
  worker: async () => {
    const one = workers[Math.floor(draw() * workers.length)];
    one.process.signal("SIGKILL");
    await one.process.ended;
    one.process = worker(one.name);
  },
  hang: async () => {
    const one = workers[Math.floor(draw() * workers.length)];
    one.process.signal("SIGSTOP");
    await pause(between(3000, 9000));
    one.process.signal("SIGCONT");
  },
  coordinator: async () => {
    coordinator.process.signal("SIGKILL");
    await coordinator.process.ended;
    await pause(between(0, 1000));
    coordinator.process = boundary(sweepArguments("remote", "--redis", url));
    coordinator.starts += 1;
  },
  redis: async () => {
    redis.signal("SIGKILL");
    await redis.ended;
    await pause(between(0, 2000));
    redis = await redisServer(join(folder, "redis"), port);
  },
};
/** What systemd does for workers that end by themselves, and a user for a sweep that could not reach Redis. */
const again = { worker: 0, coordinator: 0 };
function startAgain() {
  for (const one of workers) {
    if (one.process.code === undefined) continue;
    one.process = worker(one.name);
    again.worker += 1;
  }
  const { code, output } = coordinator.process;
  if (code !== 1) return;
  say(output.trimEnd().split("\n").at(-1));
  coordinator.process = boundary(sweepArguments("remote", "--redis", url));
  coordinator.starts += 1;
  again.coordinator += 1;
}
const kinds = ["worker", "worker", "worker", "coordinator", "coordinator", "redis", "hang"];
let done = 0;
while (done < Number(kills) && !existsSync(join(folder, "remote/result.json"))) {
  const kind = kinds[Math.floor(draw() * kinds.length)];
  await faults[kind]();
  counts[kind] += 1;
  done += 1;
  const answers = existsSync(join(folder, "remote/journal.jsonl")) ? journalOf(join(folder, "remote")).rows : 0;
  say(`${((performance.now() - started) / 1000).toFixed(0)} s: ${done} ${kind}, ${answers} answers`);
  await pause(between(200, 3000));
  startAgain();
}
const watching = setInterval(startAgain, 1000);
while (coordinator.process.code === undefined || coordinator.process.code === 1) await pause(500);
clearInterval(watching);
const { code } = coordinator.process;
say(`started again: ${JSON.stringify(again)}`);
say(`coordinator ended with ${code} after ${coordinator.starts} starts`);
for (const one of workers) one.process.signal("SIGKILL");
redis.signal("SIGKILL");
if (code !== 0) say(coordinator.process.output);
else {
  const { rows: answers, keys } = journalOf(join(folder, "remote"));
  const isEqual = resultOf(join(folder, "remote")) === resultOf(join(folder, "local"));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`${done} faults (${JSON.stringify(counts)}), seed ${seed}, ${seconds} s; journal: ${answers} rows, ${keys} keys`);
  say(isEqual ? "the result is the local one" : "THE RESULT DIFFERS");
  process.exitCode = isEqual ? 0 : 1;
}
if (code !== 0) process.exitCode = 1;
rmSync(folder, { recursive: true, force: true });
