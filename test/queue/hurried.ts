import { fileURLToPath } from "node:url";
import { hurryQueue } from "../../src/queue/times.js";

/** How much shorter the waits of the queue are in its tests, in this process and in those that it starts. */
export const HURRY = 10;
export const hurriedEntry = fileURLToPath(new URL("../../eval/bench/hurried-queue.mjs", import.meta.url));

hurryQueue(HURRY);
