import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { ServedAnswer, ServedStop, ServingStatus } from "../engine/serving/serving.js";

/** What the gauges show at the moment of a scrape. */
export interface MetricSources {
  readonly waiting: () => number;
  readonly underWay: () => number;
  readonly engine: () => Promise<ServingStatus>;
}

/** How a request ended, for the counter. */
export type Outcome = ServedStop | "refused" | "failed";

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const TOKENS_A_SECOND = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/** Prometheus metrics of one server. The label `mask` is base, full, trimmed or boundary-K. */
export class ServerMetrics {
  readonly registry = new Registry();
  private readonly requests: Counter<"mask" | "outcome">;
  private readonly promptTokens: Counter<"mask">;
  private readonly reusedTokens: Counter<"mask">;
  private readonly generatedTokens: Counter<"mask">;
  private readonly seconds: Histogram<"mask">;
  private readonly firstTokenSeconds: Histogram<"mask">;
  private readonly queueSeconds: Histogram<"mask">;
  private readonly rate: Histogram<"mask">;

  constructor(sources: MetricSources) {
    const registers = [this.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name: `boundary_${name}`, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets: number[]): Histogram<"mask"> =>
      new Histogram({ name: `boundary_${name}`, help, labelNames: ["mask"], buckets, registers });
    this.requests = counter("requests_total", "Requests for answers by how they ended", ["mask", "outcome"]);
    this.promptTokens = counter("prompt_tokens_total", "Tokens of prompts", ["mask"]);
    this.reusedTokens = counter("reused_prompt_tokens_total", "Tokens of prompts that were known already", ["mask"]);
    this.generatedTokens = counter("generated_tokens_total", "Tokens of answers", ["mask"]);
    this.seconds = histogram("request_seconds", "From arrival to the last token", SECONDS);
    this.firstTokenSeconds = histogram("time_to_first_token_seconds", "From arrival to the first token", SECONDS);
    this.queueSeconds = histogram("queue_seconds", "From arrival to the first work", SECONDS);
    this.rate = histogram("tokens_per_second", "Tokens a second of one answer after its first", TOKENS_A_SECOND);
    this.gauges(sources);
    collectDefaultMetrics({ register: this.registry, prefix: "boundary_" });
  }

  /** Counts a request that brought no answer. */
  ended(mask: string, outcome: Outcome): void {
    this.requests.inc({ mask, outcome });
  }

  /** Counts an answer. @param waitedMs time in line before the engine had the request. */
  answered(mask: string, answer: ServedAnswer, waitedMs: number): void {
    const labels = { mask };
    const { tokens, promptTokens, reusedTokens, prefillMs, decodeMs } = answer;
    const queuedMs = waitedMs + answer.queuedMs;
    this.requests.inc({ mask, outcome: answer.stopReason });
    this.promptTokens.inc(labels, promptTokens);
    this.reusedTokens.inc(labels, reusedTokens);
    this.generatedTokens.inc(labels, tokens.length);
    this.queueSeconds.observe(labels, queuedMs / 1000);
    this.seconds.observe(labels, (queuedMs + prefillMs + decodeMs) / 1000);
    if (tokens.length > 0) this.firstTokenSeconds.observe(labels, (queuedMs + prefillMs) / 1000);
    if (tokens.length > 1 && decodeMs > 0) this.rate.observe(labels, (1000 * (tokens.length - 1)) / decodeMs);
  }

  private gauges({ waiting, underWay, engine }: MetricSources): void {
    const registers = [this.registry];
    const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
      new Gauge({
        name: `boundary_${name}`,
        help,
        registers,
        async collect() {
          this.set(await read());
        },
      });
    };
    gauge("queue_length", "Requests in line", waiting);
    gauge("requests_under_way", "Requests that are being answered", underWay);
    gauge("contexts", "Masks that have a context", async () => (await engine()).contexts);
    gauge("engine_resident_bytes", "Memory of the engine's process", async () => (await engine()).residentBytes);
  }
}
