// What a queue costs: the same sweep here and through Redis with one worker on the same machine, taking turns.
//
//   node eval/bench/queue-overhead.mjs MODEL ADAPTER DATA [SAMPLES] [ROUNDS] [THREADS]
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.mjs";
import { boundary, pause, redisServer, resultOf } from "./queue-parts.mjs";

const [model, adapter, data, samples = "48", rounds = "3", threads = "1"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "boundary-overhead-"));
const port = await freePort();
const url = `redis://127.0.0.1:${port}`;
const say = (line) => process.stdout.write(`${line}\n`);
mkdirSync(join(folder, "redis"));
const redis = await redisServer(join(folder, "redis"), port, { flags: ["--appendfsync", "everysec"] });
const engine = ["--gpu", "off", "--threads", threads];
const worker = boundary(["worker", "--redis", url, "--model", model, "--cache", join(folder, "cache"), ...engine]);

async function timed(out, more) {
  const started = performance.now();
  const sweep = boundary([
    ...["sweep", "--model", model, "--adapter", adapter, "--data", data, "--limit", samples, "--holdout", "0"],
    ...["--boundaries", "0-30:5"],
    ...["--max-tokens", "32", "--quiet", "--out", join(folder, out), ...engine, ...more],
  ]);
  if ((await sweep.ended) !== 0) throw new Error(sweep.output);
  return (performance.now() - started) / 1000;
}

try {
  while (!worker.output.includes("worker ")) await pause(100);
  const ratios = [];
  for (let round = 0; round < Number(rounds); round++) {
    const order = round % 2 === 0 ? ["local", "remote"] : ["remote", "local"];
    const seconds = {};
    for (const kind of order) seconds[kind] = await timed(`${kind}-${round}`, kind === "local" ? [] : ["--redis", url]);
    const isEqual = resultOf(join(folder, `local-${round}`)) === resultOf(join(folder, `remote-${round}`));
    ratios.push(seconds.remote / seconds.local);
    say(
      `round ${round + 1}: here ${seconds.local.toFixed(1)} s, through the queue ${seconds.remote.toFixed(1)} s, ${(100 * (ratios.at(-1) - 1)).toFixed(1)} % more; results ${isEqual ? "equal" : "DIFFERENT"}`,
    );
    if (!isEqual) process.exitCode = 1;
  }
  const median = ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)];
  say(`median ${(100 * (median - 1)).toFixed(1)} % more`);
} finally {
  worker.signal("SIGKILL");
  redis.signal("SIGKILL");
  await pause(300);
  rmSync(folder, { recursive: true, force: true });
}
