import { APIError, OpenAI } from "openai";
import { z } from "zod";
import { UsageError } from "../errors.js";
import { endpointError, garbageError, refusedError, type EndpointContext } from "./endpoint-failure.js";
import { JudgeError, type JudgeModel, type JudgeReply, type TokenPrices } from "./judge-model.js";
import { interrupted, withRetries, type Quiet, type RetryPolicy } from "./retry.js";

/** A judge behind an OpenAI-compatible endpoint. Times in milliseconds. */
export interface EndpointJudgeOptions {
  /** Such as `http://127.0.0.1:8080/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** What signatures and tables call it; the model's name by default. */
  readonly name?: string;
  /** {@link judgeApiKey}; none is sent where there is none. */
  readonly apiKey?: string;
  /** For one attempt, from sending the question to the last byte of the answer; 60 s by default. */
  readonly timeoutMs?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Most tokens of an answer; 16 by default, room for a verdict but not for thoughts: reasoning models need thousands. */
  readonly maxTokens?: number;
  /** Where the endpoint samples although the temperature is 0; 0 by default. */
  readonly seed?: number;
  readonly prices?: TokenPrices;
}

/** Parameters that some endpoints refuse: OpenAI's reasoning models know neither `max_tokens` nor another temperature than 1. */
const OPTIONAL_PARAMETERS = ["max_tokens", "temperature", "seed"] as const;
type OptionalParameter = (typeof OPTIONAL_PARAMETERS)[number];

const OPENAI_HOST = "api.openai.com";

/** 4 retries at 0.5 s, 1 s, 2 s and 4 s; an endpoint that counts by the minute may ask for up to a minute each time. */
const RETRY: RetryPolicy = { retries: 4, firstDelayMs: 500, longestWaitMs: 60_000 };

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish().catch(undefined),
});

/**
 * A judge behind an OpenAI-compatible endpoint, asked through the official client: one user message, temperature 0, a fixed seed. Its
 * identity is address, model and settings; the key is in no result, error or cache.
 * @throws UsageError when the address cannot be one.
 */
export function endpointJudge(options: EndpointJudgeOptions): JudgeModel {
  return new EndpointJudge(options, plainUrl(options.baseUrl));
}

/**
 * The key for an endpoint from the environment: BOUNDARY_JUDGE_API_KEY; OPENAI_API_KEY only for OpenAI's own host and for that of
 * OPENAI_BASE_URL, so that it is not sent to strangers.
 */
export function judgeApiKey(baseUrl: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const own = env["BOUNDARY_JUDGE_API_KEY"];
  if (own !== undefined && own !== "") return own;
  const hosts = [OPENAI_HOST, hostOf(env["OPENAI_BASE_URL"] ?? "")];
  const shared = env["OPENAI_API_KEY"];
  return shared !== "" && hosts.includes(hostOf(baseUrl)) && hostOf(baseUrl) !== undefined ? shared : undefined;
}

class EndpointJudge implements JudgeModel {
  readonly name: string;
  readonly identity: Readonly<Record<string, unknown>>;
  readonly prices?: TokenPrices;
  readonly notes: string[] = [];
  private readonly client: OpenAI;
  private readonly context: EndpointContext;
  private readonly retry: RetryPolicy;
  private readonly quiet: Quiet = { until: 0 };
  private readonly refused = new Set<OptionalParameter>();
  private readonly settings: { readonly model: string; readonly maxTokens: number; readonly seed: number };

  constructor(options: EndpointJudgeOptions, url: string) {
    const { model, apiKey, timeoutMs = 60_000, maxTokens = 16, seed = 0 } = options;
    this.name = options.name ?? model;
    this.settings = { model, maxTokens, seed };
    this.identity = { kind: "endpoint", url, temperature: 0, ...this.settings };
    if (options.prices !== undefined) this.prices = options.prices;
    this.retry = { ...RETRY, ...options.retry };
    this.context = { judge: this.name, url, apiKey, timeoutMs };
    this.client = new OpenAI({
      baseURL: url,
      // The client insists on a key; the header that it makes of it is taken out again.
      apiKey: apiKey ?? "none",
      ...(apiKey === undefined ? { defaultHeaders: { Authorization: null } } : {}),
      // Else the client would send what the environment holds for OpenAI to any host.
      ...(isOpenAi(url) ? {} : { organization: null, project: null }),
      timeout: timeoutMs,
      maxRetries: 0,
      logLevel: "off",
    });
  }

  async ask(question: string, signal?: AbortSignal): Promise<JudgeReply> {
    if (signal?.aborted) throw interrupted();
    return withRetries(() => this.attempt(question, signal), this.retry, this.quiet, signal);
  }

  private async attempt(question: string, signal: AbortSignal | undefined): Promise<JudgeReply> {
    // The client's own timeout ends with the response's headers; this one covers its body too.
    const deadline = AbortSignal.timeout(this.context.timeoutMs);
    const left = new Set(this.refused);
    try {
      const completion: unknown = await this.client.post<unknown>("/chat/completions", {
        body: this.body(question),
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      });
      return this.reply(completion);
    } catch (error) {
      if (signal?.aborted) throw interrupted(error);
      if (error instanceof JudgeError) throw error;
      const parameter = refusedParameter(error);
      if (parameter === undefined || left.has(parameter)) throw endpointError(error, this.context, deadline.aborted);
      this.leaveOut(parameter);
      return this.attempt(question, signal);
    }
  }

  /** Written out, because the client's types call `max_tokens` and `seed` deprecated, which are what most other endpoints know. */
  private body(question: string): Readonly<Record<string, unknown>> {
    const { model, maxTokens, seed } = this.settings;
    return {
      model,
      messages: [{ role: "user", content: question }],
      ...(this.refused.has("max_tokens") ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
      ...(this.refused.has("temperature") ? {} : { temperature: 0 }),
      ...(this.refused.has("seed") ? {} : { seed }),
    };
  }

  private leaveOut(parameter: OptionalParameter): void {
    if (this.refused.has(parameter)) return;
    this.refused.add(parameter);
    if (parameter !== "max_tokens") {
      this.notes.push(`The judge ${this.name} takes no ${parameter}: asked again it may answer otherwise.`);
    }
  }

  private reply(completion: unknown): JudgeReply {
    const parsed = completionSchema.safeParse(completion);
    const choice = parsed.data?.choices[0];
    if (choice === undefined) throw garbageError(seen(completion), this.context);
    const { message, finish_reason: reason } = choice;
    if (typeof message.refusal === "string" && message.refusal !== "")
      throw refusedError(message.refusal, this.context);
    if (reason === "content_filter") throw refusedError("content_filter", this.context);
    const cut = reason === "length";
    // Thoughts may use up all tokens before the answer begins.
    if (typeof message.content !== "string" && !cut) throw garbageError(seen(completion), this.context);
    const usage = parsed.data?.usage;
    return {
      text: message.content ?? "",
      cut,
      ...(usage ? { usage: { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens } } : {}),
    };
  }
}

/** The parameter that an endpoint says it does not take, as OpenAI's say it: code `unsupported_parameter` or `unsupported_value`. */
function refusedParameter(error: unknown): OptionalParameter | undefined {
  if (!(error instanceof APIError) || !String(error.code).startsWith("unsupported_")) return undefined;
  return OPTIONAL_PARAMETERS.find((parameter) => parameter === error.param);
}

function seen(completion: unknown): string {
  if (completion === undefined || completion === null) return "nothing";
  return typeof completion === "string" ? completion : JSON.stringify(completion);
}

/** The address without a trailing slash; it goes into errors and hashes, so nothing secret may be in it. */
function plainUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const isPlain = url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === "";
  if (isPlain && (url.protocol === "http:" || url.protocol === "https:")) return url.href.replace(/\/+$/, "");
  throw new UsageError({
    what: "the judge's address is wrong",
    // Not shown where a secret may be in it.
    ...(/[@?#]/.test(baseUrl) ? {} : { actual: JSON.stringify(baseUrl) }),
    expected: "http or https, a host and a path alone, such as http://127.0.0.1:8080/v1",
    fix: "A key goes into BOUNDARY_JUDGE_API_KEY.",
  });
}

function isOpenAi(url: string): boolean {
  return hostOf(url) === OPENAI_HOST;
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}
