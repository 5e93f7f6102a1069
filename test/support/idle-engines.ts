import { keepIdleEngines } from "../../src/engine/process-engine.js";

// To start the engine's process takes longer than most tests do with it. A process is kept for the environment it was started in, which vitest
// makes another for each file.
delete process.env["VITEST_WORKER_ID"];
await keepIdleEngines(4);
