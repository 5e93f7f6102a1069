import { parsedJson } from "../parsed-json.js";
import { DelayedError, UnrecoverableError, WaitingError, Worker, type Job as QueuedJob } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { at, defined } from "../assert.js";
import { BoundaryError, QueueError, messageOf } from "../errors.js";
import type { AdapterCache } from "./adapter-cache.js";
import { answerJob, type JobContent } from "./answer-job.js";
import { performCall } from "./call-job.js";
import { isOutOfMemory } from "./connection.js";
import { CountedNotes } from "./counted-notes.js";
import { MissingContentError, type ContentStore } from "./content-store.js";
import type { EngineSlot } from "./engine-slot.js";
import { JobReport } from "./job-report.js";
import { PREFIX } from "./keys.js";
import { checked, MESSAGE_CHARACTERS, openJob, type Entry, type Job } from "./messages.js";
import { OtherModelError } from "./model-proof.js";
import { announce, HEARTBEAT_SECONDS, withdraw, type Announcement } from "./presence.js";
import { shortened } from "./printable.js";
import { putEntry } from "./result-stream.js";
import type { Seal } from "./seal.js";
import { withinTime } from "./within-time.js";
import { withoutPaths } from "./without-paths.js";
import { queueTimes } from "./times.js";

/** So often a job may lose its worker before it is given up. */
const MOST_STALLS = 20;
/** Adapters that an engine keeps loaded: it gives none back while it runs. */
const MOST_ADAPTERS = 4;
/** Most time for giving the job under way back, in milliseconds. */
const CLOSE_MS = 10_000;
/** Jobs that are remembered when they are done: whoever can write to Redis can put them there again. */
const MOST_FINISHED = 10_000;
/** Weight of the newest job in the tokens a second that a worker announces. */
const NEWEST_JOB = 0.3;

/** What a worker of a queue consists of. */
export interface WorkerParts {
  readonly redis: Redis;
  readonly seal: Seal;
  readonly engine: EngineSlot;
  readonly adapters: AdapterCache;
  readonly store: ContentStore;
  readonly announcement: Omit<Announcement, "jobs" | "answers" | "doing" | "enginePeakBytes">;
  /** After so many seconds without a sign of life its job is given to another worker. */
  readonly lockSeconds: number;
  /** Paths of this machine that messages to others leave out. */
  readonly paths: readonly string[];
  /** @throws MemoryError, QueueError for a job that this machine cannot do. */
  readonly assertAffordable: (job: Job) => void;
  /** @throws OtherModelError when the model is not the announced one any more. */
  readonly assertSameModel: () => Promise<void>;
  /** Told once what ends this worker. */
  readonly onEnd: (error: OtherModelError) => void;
  /** Told what happens, a line each. */
  readonly onLine: (line: string) => void;
}

const tokenIds = z.array(z.number().int().min(0));
const textList = z.array(z.string());

/** Takes jobs from a queue, one at a time, and tells what it finds. */
export class QueueWorker {
  private readonly worker: Worker;
  private readonly heartbeat: NodeJS.Timeout;
  private facts: Announcement;
  private loaded = new Set<string>();
  private readonly finished = new Set<string>();
  private readonly notes: CountedNotes;
  private isClosing = false;

  constructor(private readonly parts: WorkerParts) {
    const { redis, announcement, lockSeconds, onLine } = parts;
    this.facts = { ...announcement, jobs: 0, answers: 0, doing: "", enginePeakBytes: 0 };
    this.notes = new CountedNotes(onLine);
    this.worker = new Worker(announcement.queue, (job: QueuedJob<unknown>, token) => this.process(job, token), {
      connection: redis,
      prefix: PREFIX,
      name: announcement.id,
      concurrency: 1,
      lockDuration: lockSeconds * 1000,
      stalledInterval: lockSeconds * 1000,
      maxStalledCount: MOST_STALLS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    this.worker.on("error", (error) => {
      const isFull = isOutOfMemory(error);
      const words = shortened(error.message, MESSAGE_CHARACTERS);
      this.notes.note(
        isFull ? "full" : "queue",
        isFull ? `Redis has used up its maxmemory and takes no answers: ${words}` : `queue: ${words}`,
      );
    });
    this.worker.on("stalled", (job) => {
      this.notes.note("stalled", `job ${short(job)} lost its worker and goes back into the queue`);
    });
    this.heartbeat = setInterval(() => void this.announce(), HEARTBEAT_SECONDS * 1000);
  }

  /** Resolves when jobs are taken. */
  async start(): Promise<void> {
    await this.worker.waitUntilReady();
    await this.announce();
  }

  /** Gives the job under way back to the queue, if there is one, and takes no more. */
  async close(): Promise<void> {
    this.isClosing = true;
    clearInterval(this.heartbeat);
    // Takes no more jobs from here on; ends when the one under way has been given back.
    const closed = this.worker.close();
    await this.parts.engine.drop();
    // Without a server the job cannot be given back: it is taken back when its lock has run out.
    const { redis } = this.parts;
    const isConnected = redis.status === "ready";
    await withinTime(isConnected ? CLOSE_MS : 0, closed);
    if (isConnected) await withinTime(CLOSE_MS, withdraw(redis, this.facts.id));
  }

  private async announce(): Promise<void> {
    const { redis, seal, adapters } = this.parts;
    await adapters.markInUse();
    await announce(redis, seal, this.facts).catch((error: unknown) => {
      this.notes.note("announce", `not announced: ${messageOf(error)}`);
    });
  }

  private async process(queued: QueuedJob<unknown>, token: string | undefined): Promise<null> {
    const { onLine, announcement } = this.parts;
    const id = defined(queued.id, "the id of a job");
    const job = this.opened(id, queued.data);
    if (job.except?.includes(announcement.id)) {
      await queued.moveToDelayed(Date.now() + queueTimes.notMine, token);
      throw new DelayedError();
    }
    if (this.finished.has(id)) {
      this.notes.note("again", `job ${short(id)} was done before, and came again`);
      return null;
    }
    const report = new JobReport(id, announcement.id, (entry) => this.put(job.run, entry));
    const started = performance.now();
    this.facts = { ...this.facts, doing: doingOf(job) };
    try {
      const end = await this.perform(job, report);
      const seconds = (performance.now() - started) / 1000;
      await report.end({ ...end, done: { seconds } });
      this.finish(id);
      onLine(`job ${short(id)} done in ${seconds.toFixed(1)} s: ${doingOf(job)}`);
      return null;
    } catch (error) {
      if (error instanceof OtherModelError && !this.isClosing) this.end(error);
      if (this.isClosing) {
        await queued.moveToWait(token);
        throw new WaitingError();
      }
      throw await this.failed(error, queued, report);
    } finally {
      this.facts = { ...this.facts, doing: "" };
    }
  }

  /** @throws UnrecoverableError, as BullMQ is to be told, for what is no job for this worker. */
  private opened(id: string, data: unknown): Job {
    try {
      return openJob(this.parts.seal, this.parts.announcement.queue, id, data);
    } catch (error) {
      this.notes.note("refused", `job ${short(id)} refused: ${messageOf(error)}`);
      throw new UnrecoverableError("refused");
    }
  }

  /** What is told under this worker's announcement comes from the model that it has announced. */
  private async put(run: string, entry: Entry): Promise<void> {
    await this.parts.assertSameModel();
    await putEntry(this.parts.redis, this.parts.seal, run, entry);
  }

  private end(error: OtherModelError): void {
    this.isClosing = true;
    this.parts.onEnd(error);
  }

  private finish(id: string): void {
    this.facts = { ...this.facts, jobs: this.facts.jobs + 1 };
    this.finished.add(id);
    const [oldest] = this.finished;
    if (this.finished.size > MOST_FINISHED && oldest !== undefined) this.finished.delete(oldest);
  }

  private async perform(job: Job, report: JobReport): Promise<Pick<Entry, "result">> {
    const { engine, adapters, announcement } = this.parts;
    if (announcement.allow && !announcement.allow.includes(job.adapter)) {
      throw new RefusedError({
        what: `the owner of ${announcement.name} does not allow this adapter`,
        actual: job.adapter,
      });
    }
    this.parts.assertAffordable(job);
    const texts = await this.texts(job);
    const pieces = await adapters.piecesOf(job);
    const content: JobContent = { pieces, tokens: texts.tokens };
    if (!this.loaded.has(job.adapter) && this.loaded.size >= MOST_ADAPTERS) {
      await engine.drop();
      this.loaded = new Set();
    }
    this.loaded.add(job.adapter);
    return engine.use(job.timeoutMs, async (opened) => {
      if (job.kind === "call") return { result: await performCall(opened, job.call, content, texts.plain) };
      const started = performance.now();
      let tokens = 0;
      await answerJob(opened, job, content, (row) => {
        tokens += row.generation.promptTokens + row.generation.tokens.length;
        this.facts = { ...this.facts, answers: this.facts.answers + 1 };
        report.row(row);
      });
      const rate = (1000 * tokens) / Math.max(1, performance.now() - started);
      const known = this.facts.tokensPerSecond;
      const tokensPerSecond = known === 0 ? rate : known + NEWEST_JOB * (rate - known);
      this.facts = { ...this.facts, tokensPerSecond, enginePeakBytes: await opened.peakMemory() };
      return {};
    });
  }

  /** What a job names by hash: token ids by the hash of their text, and texts. */
  private async texts(job: Job): Promise<{ tokens: Map<string, number[]>; plain: string[] }> {
    const { store } = this.parts;
    const plain =
      job.kind === "call" && job.call.method === "tokenize"
        ? checked(textList, parsedJson(at(await store.texts([job.call.texts]), 0)), "a list of texts")
        : [];
    const hashes = [...new Set(tokenHashes(job))];
    const texts = await store.texts(hashes);
    const tokens = hashes.map((hash, i): [string, number[]] => {
      return [hash, checked(tokenIds, parsedJson(at(texts, i)), "a prompt")];
    });
    return { tokens: new Map(tokens), plain };
  }

  /** Tells the run why a job failed, where another try would not help. @returns what BullMQ is to be told. */
  private async failed(error: unknown, queued: QueuedJob<unknown>, report: JobReport): Promise<Error> {
    const message = messageOf(error);
    this.notes.note("failed", `job ${short(queued.id ?? "")} failed: ${message}`);
    const told = shortened(withoutPaths(message, this.parts.paths), MESSAGE_CHARACTERS);
    const isLast = queued.attemptsMade + 1 >= (queued.opts.attempts ?? 1);
    // Redis itself failed: nothing can be told, and the job is not to blame.
    // BullMQ keeps what it is told in Redis, so that has no paths either.
    if (!(error instanceof BoundaryError)) return new Error(told);
    const kind =
      error instanceof MissingContentError ? "missing" : error instanceof RefusedError ? "refused" : "engine";
    if (kind === "engine" && !isLast && !(error instanceof QueueError)) return new Error(told);
    await report.end({ failure: { kind, message: told } }).catch(() => undefined);
    return new UnrecoverableError(told);
  }
}

class RefusedError extends QueueError {}

function tokenHashes(job: Job): string[] {
  if (job.kind === "answers") return job.waves.flatMap(({ prompts }) => prompts.map(({ tokens }) => tokens));
  const { call } = job;
  if ("prompts" in call) return call.prompts.map(({ tokens }) => tokens);
  return call.method === "tokenize" ? [] : [call.tokens];
}

function doingOf(job: Job): string {
  if (job.kind === "call") return job.call.method;
  const prompts = job.waves.reduce((sum, wave) => sum + wave.prompts.length, 0);
  const masks = job.settings.reduce((sum, { masks: own }) => sum + own.length, 0);
  return `${prompts} prompts, ${masks} ${masks === 1 ? "mask" : "masks"}, adapter ${job.adapter.slice(0, 8)}`;
}

function short(id: string): string {
  return shortened(id, 9);
}
