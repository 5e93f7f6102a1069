// The command line with the waits of the queue made shorter by a factor: `node eval/bench/hurried-queue.mjs FACTOR COMMAND ...`.
import { hurryQueue } from "../../dist/queue/times.js";

const [factor] = process.argv.splice(2, 1);
hurryQueue(Number(factor));
await import("../../dist/cli/main.js");
