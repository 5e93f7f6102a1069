import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QueueError } from "../../src/errors.js";
import { AnswerRequest } from "../../src/queue/answer-request.js";
import { ContentStore } from "../../src/queue/content-store.js";
import { digest } from "../../src/files/digest.js";
import { Dispatcher } from "../../src/queue/dispatcher.js";
import { RedisAddress } from "../../src/queue/redis-address.js";
import { Seal } from "../../src/queue/seal.js";
import { keys } from "../../src/queue/keys.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { askSettingsFor } from "./answer-requests.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();

describe.skipIf(!hasRedis)(`two coordinators of one run ${skippedWithoutRedis}`, () => {
  let server: RedisServer;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis(folder.path);
    redis = new Redis(server.url, { maxRetriesPerRequest: null });
  });

  afterAll(async () => {
    redis.disconnect();
    await server.kill();
  });

  const coordinator = async (): Promise<Dispatcher> => {
    const dispatcher = new Dispatcher({
      address: RedisAddress.parse(server.url),
      seal: Seal.none,
      redis,
      store: new ContentStore(redis),
      run: "r",
      adapter: { path: "adapter.gguf", sha256: digest("adapter"), bytes: 9 },
      findWorkers: () => Promise.resolve([]),
      onNote: () => undefined,
    });
    await dispatcher.start();
    return dispatcher;
  };

  it("the later one has it, the earlier one ends with an error and leaves the other's things alone", async () => {
    const earlier = await coordinator();
    const asked = earlier.answer([
      new AnswerRequest(askSettingsFor(), [{ id: "s", tokens: [1], sha256: digest("s") }], () => undefined),
    ]);
    const failure = failureOf(QueueError, () => asked);
    const later = await coordinator();
    expect((await failure).message).toContain("another coordinator has taken up this run");
    await redis.hset(keys.jobs("r"), "j1", "a queue");
    await earlier.close();
    expect(await redis.exists(keys.jobs("r"), keys.coordinator("r"))).toBe(2);
    await later.close();
    expect(await redis.exists(keys.jobs("r"), keys.coordinator("r"))).toBe(0);
  });
});
