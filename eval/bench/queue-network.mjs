// Two machines as two network namespaces: Redis and the coordinator on one, workers on one or both, and the wire between them cut for half a
// minute in the middle of a job. The sweep must end in the result file of a local one. Wants root and `ip`.
//
//   node eval/bench/queue-network.mjs [SECONDS OF THE CUT]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boundary, demoSweep, demoWorker, journalOf, pause, redisServer, resultOf } from "./queue-parts.mjs";

const [cutSeconds = "30"] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
const tag = `bq${process.pid}`;
const [one, two, wire] = ["a", "b", "w"].map((name) => `${tag}${name}`);
const ip = (...args) => {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
};
const inside = (namespace) => ["ip", "netns", "exec", namespace];

/** Each machine has a cable to a switch, which is a namespace of its own: a cable that is pulled there is silence at both ends. */
function layOut() {
  for (const namespace of [one, two, wire]) ip("netns", "add", namespace);
  ip("-n", wire, "link", "add", "switch", "type", "bridge");
  ip("-n", wire, "link", "set", "switch", "up");
  for (const [i, namespace] of [one, two].entries()) {
    ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", `port${i}`, "netns", wire);
    ip("-n", wire, "link", "set", `port${i}`, "master", "switch", "up");
    ip("-n", namespace, "addr", "add", `10.99.0.${i + 1}/24`, "dev", "eth0");
    ip("-n", namespace, "link", "set", "lo", "up");
    ip("-n", namespace, "link", "set", "eth0", "up");
  }
}

const folder = mkdtempSync(join(tmpdir(), "boundary-network-"));
const password = "walk-through";
const env = {
  BOUNDARY_REDIS: `redis://:${password}@10.99.0.1:6379`,
  BOUNDARY_QUEUE_KEY: "the key of this walk-through",
};
const sweepArguments = (out, ...more) => demoSweep(join(folder, out), { more });
const worker = (namespace, name) =>
  boundary(demoWorker(name, join(folder, name), 10), { prefix: inside(namespace), env });

const running = [];
try {
  layOut();
  say("local sweep ...");
  const local = boundary(sweepArguments("local", "--quiet"));
  if ((await local.ended) !== 0) throw new Error(local.output);
  mkdirSync(join(folder, "redis"));
  const flags = ["--bind", "10.99.0.1", "--requirepass", password, "--maxmemory-policy", "noeviction"];
  running.push(await redisServer(join(folder, "redis"), 6379, { flags, prefix: inside(one) }));

  for (const [out, machines] of [
    ["worker-on-the-other", [two]],
    ["workers-on-both", [one, two]],
  ]) {
    const workers = machines.map((namespace, i) => worker(namespace, `${out}-${i + 1}`));
    running.push(...workers);
    const started = performance.now();
    const at = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
    const coordinator = boundary(sweepArguments(out, "--redis"), { prefix: inside(one), env });
    running.push(coordinator);
    const journal = join(folder, out, "journal.jsonl");
    while (!existsSync(journal) || journalOf(join(folder, out)).rows < 50) await pause(100);
    const before = journalOf(join(folder, out)).rows;
    ip("-n", wire, "link", "set", "port1", "nomaster");
    say(`${out}: cut at ${at()} with ${before} answers`);
    await pause(1000 * Number(cutSeconds));
    const during = journalOf(join(folder, out)).rows;
    ip("-n", wire, "link", "set", "port1", "master", "switch");
    say(`${out}: mended at ${at()} with ${during} answers`);
    const table = boundary(["workers"], { prefix: inside(two), env });
    await table.ended;
    say(table.output.trimEnd());
    const code = await coordinator.ended;
    const isEqual = code === 0 && resultOf(join(folder, out)) === resultOf(join(folder, "local"));
    const { rows, keys } = journalOf(join(folder, out));
    say(`${out}: ended with ${code} at ${at()}, ${rows} rows, ${keys} keys, result ${isEqual ? "equal" : "DIFFERENT"}`);
    if (!isEqual) {
      process.exitCode = 1;
      say(coordinator.output);
    }
    for (const one of workers) {
      say(
        one.output
          .split("\n")
          .filter((line) => !line.startsWith("job "))
          .join("\n")
          .trimEnd(),
      );
      one.signal("SIGTERM");
      await one.ended;
    }
  }
} finally {
  for (const one of running) one.signal("SIGKILL");
  for (const namespace of [one, two, wire]) spawnSync("ip", ["netns", "del", namespace]);
  rmSync(folder, { recursive: true, force: true });
}
