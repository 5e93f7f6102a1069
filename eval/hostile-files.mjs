// Reads mutated files with everything that a command does before it starts an engine, each with a deadline.
//   node eval/hostile-files.mjs [--count 5000] [--seed 1] [--from 0]
// Prints what became of them; exit code 1 after a hang, a crash, or an error that is none of ours. Needs the build (npm run build).
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BoundaryError } from "../dist/errors.js";
import { forTerminal, oneLine } from "../dist/report/paint.js";
import { makeKinds } from "./hostile-files/kinds.mjs";
import { draws } from "./hostile-files/mutate.mjs";

/** Seconds that a file may take; those that run into the limit on expressions and templates take two. */
const DEADLINE_SECONDS = 5;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    reader: { type: "string" },
  },
});
if (values.reader === undefined) await lead(Number(values.count), Number(values.seed), Number(values.from));
else await read(Number(values.seed), values.reader);

/** The process that reads: one file for each number that it is sent. */
async function read(seed, scratch) {
  const kinds = await makeKinds(scratch);
  process.on("message", async (number) => {
    const kind = kinds[number % kinds.length];
    const started = performance.now();
    const reply = { number, kind: kind.name, outcome: "read", message: "" };
    try {
      await kind.run(draws(seed * 1_000_003 + number));
    } catch (error) {
      const isOurs = error instanceof BoundaryError;
      const shown = forTerminal(oneLine(error instanceof Error ? error.message : String(error)));
      reply.outcome = isOurs && !/\n\s+at |\p{Cc}/u.test(shown) ? "refused" : "defect";
      reply.message = isOurs ? error.message : String(error?.stack ?? error);
    }
    process.send({ ...reply, milliseconds: performance.now() - started });
  });
  process.send("ready");
}

/** The process that counts, and ends a reader that takes too long. */
async function lead(count, seed, from) {
  const scratch = mkdtempSync(join(tmpdir(), "boundary-hostile-"));
  const seen = { read: 0, refused: 0, defect: 0, hang: 0, crash: 0 };
  const kinds = new Map();
  let slowest = 0;
  let reader = await startReader(seed, scratch);
  for (let number = from; number < from + count; number++) {
    const reply = await answerOf(reader, number);
    seen[reply.outcome]++;
    slowest = Math.max(slowest, reply.milliseconds ?? 0);
    if (reply.kind) kinds.set(reply.kind, (kinds.get(reply.kind) ?? 0) + 1);
    if (!["read", "refused"].includes(reply.outcome))
      console.log(`${number} ${reply.kind ?? ""} ${reply.outcome}: ${reply.message}`);
    if (["hang", "crash"].includes(reply.outcome)) reader = await startReader(seed, scratch);
  }
  reader.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
  const { read: sound, refused, defect, hang, crash } = seen;
  console.log(`${[...kinds].map(([name, times]) => `${name} ${times}`).join(", ")}`);
  console.log(
    `${count} files from seed ${seed}: ${sound} read, ${refused} refused, ${defect} defects, ${hang} hangs over ${DEADLINE_SECONDS} s, ${crash} crashes; slowest ${(slowest / 1000).toFixed(2)} s`,
  );
  process.exitCode = defect + hang + crash > 0 ? 1 : 0;
}

async function startReader(seed, scratch) {
  const reader = fork(fileURLToPath(import.meta.url), ["--seed", String(seed), "--reader", scratch], { silent: false });
  await new Promise((resolve, reject) => {
    reader.once("message", resolve);
    reader.once("exit", () => reject(new Error("the reader did not start")));
  });
  reader.removeAllListeners("exit");
  return reader;
}

function answerOf(reader, number) {
  return new Promise((resolve) => {
    const done = (reply) => {
      clearTimeout(deadline);
      reader.removeAllListeners();
      resolve(reply);
    };
    const deadline = setTimeout(() => {
      reader.kill("SIGKILL");
      done({ outcome: "hang", message: `no answer in ${DEADLINE_SECONDS} s` });
    }, 1000 * DEADLINE_SECONDS);
    reader.once("message", done);
    reader.once("exit", (code, signal) => done({ outcome: "crash", message: `the reader ended: ${signal ?? code}` }));
    reader.send(number);
  });
}
