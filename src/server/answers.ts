import { GRAMMAR_WORK } from "../engine/grammar/states.js";
import type { GrammarSchema } from "../engine/grammar/json-grammar.js";
import type { Sampling, ServedAnswer, ServingDelta, ServingEngine } from "../engine/serving/serving.js";
import { Admission, type Turn } from "./admission.js";
import { ApiError, shuttingDown } from "./api-error.js";
import { ServerMetrics } from "./metrics.js";
import type { AskedModel } from "./models.js";

/** A piece of a long prompt, and the most tokens that cutting it off can add: those of a special token or a long word in halves. */
const PIECE = { characters: 16_384, addedTokens: 64 } as const;

/** Bounds on what one server does at once and on what one request may take. */
export interface ServerLimits {
  /** Requests answered at once. */
  readonly parallel: number;
  /** Requests in line behind them; more are refused with 429. */
  readonly queue: number;
  /** Tokens of an answer at most, and where a request names no number. */
  readonly maxTokens: number;
  /** Seconds after which an answer is cut. */
  readonly maxSeconds: number;
  /** Tokens of prompt and answer together. */
  readonly contextSize: number;
}

/** A request for an answer in our own terms. */
export interface Question {
  readonly model: AskedModel;
  /** The text that the model continues, or its tokens. */
  readonly prompt: string | readonly number[];
  readonly maxTokens: number | undefined;
  readonly stop: readonly string[];
  readonly sampling: Sampling;
  readonly schema: GrammarSchema | undefined;
  readonly logprobs: number | undefined;
}

/** A question that has a place in the queue. */
export interface Admitted {
  /** Waits for its turn and answers it. @param onDelta for pieces of the answer as they come. */
  answer(onDelta?: (delta: ServingDelta) => void): Promise<ServedAnswer>;
}

/** Answers questions through the engine, a bounded number at once, and counts them. */
export class Answers {
  readonly metrics: ServerMetrics;
  private readonly admission: Admission;
  private readonly underWay = new Set<AbortController>();
  private stopped = false;

  constructor(
    private readonly engine: ServingEngine,
    readonly limits: ServerLimits,
  ) {
    this.admission = new Admission(limits.parallel, limits.queue);
    this.metrics = new ServerMetrics({
      waiting: () => this.admission.waiting,
      underWay: () => this.admission.underWay,
      engine: () => engine.status(),
    });
  }

  /** Requests in line and under way. */
  get load(): { readonly waiting: number; readonly underWay: number } {
    return { waiting: this.admission.waiting, underWay: this.admission.underWay };
  }

  /**
   * Gives a question its place in the queue.
   * @param gone fires when nobody waits for the answer any more.
   * @throws ApiError 429 when the queue is full, 400 when the prompt does not fit the context.
   */
  async admit(question: Question, gone: AbortSignal): Promise<Admitted> {
    try {
      // Before any work for it: refusing must stay cheap when there are many.
      this.admission.assertRoom();
      const tokens = await this.tokensOf(question.prompt);
      this.assertKnown(
        question.sampling.bias.map(([token]) => token),
        "logit_bias",
      );
      const room = this.limits.contextSize - tokens.length;
      if (room < 1) throw tooLong(tokens.length, this.limits.contextSize);
      const maxTokens = Math.min(question.maxTokens ?? this.limits.maxTokens, this.limits.maxTokens, room);
      const turn = this.admission.join();
      return { answer: (onDelta) => this.answer({ question, tokens, maxTokens, turn, gone, onDelta }) };
    } catch (error) {
      this.metrics.ended(question.model.name, error instanceof ApiError ? "refused" : "failed");
      throw error;
    }
  }

  /** Ends every answer under way and refuses those in line and all that may still come. */
  cancelAll(): void {
    this.stopped = true;
    for (const controller of this.underWay) controller.abort();
  }

  private async answer({ question, tokens, maxTokens, turn, gone, onDelta }: AdmittedQuestion): Promise<ServedAnswer> {
    const { model, stop, sampling, schema, logprobs } = question;
    const controller = new AbortController();
    const cancel = (): void => {
      controller.abort();
    };
    this.underWay.add(controller);
    if (gone.aborted || this.stopped) cancel();
    gone.addEventListener("abort", cancel, { once: true });
    const arrived = performance.now();
    let counted = false;
    try {
      await firstOf(turn.ready, controller.signal);
      const waitedMs = performance.now() - arrived;
      const answer = await this.engine.answer(
        {
          ...{ pieces: model.pieces, tokens, stop, sampling, schema, logprobs },
          ...{ maxTokens, maxMs: 1000 * this.limits.maxSeconds },
        },
        { signal: controller.signal, ...(onDelta ? { onDelta } : {}) },
      );
      if (answer.stopReason === "grammar") throw tooAmbiguous();
      this.metrics.answered(model.name, answer, waitedMs);
      counted = true;
      // What was cut in the middle must not look like an answer that had come to its end.
      if (answer.stopReason === "cancelled") throw shuttingDown();
      return answer;
    } catch (error) {
      const refused = error instanceof ApiError && error.status < 500;
      const outcome = controller.signal.aborted ? "cancelled" : refused ? "refused" : "failed";
      if (!counted) this.metrics.ended(model.name, outcome);
      throw error;
    } finally {
      gone.removeEventListener("abort", cancel);
      this.underWay.delete(controller);
      turn.leave();
    }
  }

  private async tokensOf(prompt: string | readonly number[]): Promise<readonly number[]> {
    if (typeof prompt !== "string") {
      this.assertKnown(prompt, "prompt");
      return prompt;
    }
    await this.assertMayFit(prompt);
    const [tokens = []] = await this.engine.tokenize([prompt]);
    if (tokens.length > 0) return tokens;
    throw new ApiError({ status: 400, message: "The prompt is empty.", param: "prompt", code: "invalid_value" });
  }

  /**
   * Counts a long text's tokens piece by piece: the time that llama.cpp takes for a text grows with the square of the special tokens in
   * it, and others wait meanwhile.
   * @throws ApiError 400 when the pieces have more tokens than the context takes, whatever a cut may have added.
   */
  private async assertMayFit(text: string): Promise<void> {
    if (text.length <= PIECE.characters) return;
    let least = 0;
    for (let from = 0; from < text.length; from += PIECE.characters) {
      const [tokens = []] = await this.engine.tokenize([text.slice(from, from + PIECE.characters)]);
      least += Math.max(0, tokens.length - PIECE.addedTokens);
      if (least >= this.limits.contextSize) throw tooLong(`at least ${least}`, this.limits.contextSize);
    }
  }

  /** The engine's process would not survive a token that is none. */
  private assertKnown(tokens: readonly number[], param: string): void {
    const { vocabulary } = this.engine.info;
    if (tokens.every((token) => token < vocabulary)) return;
    const message = `The tokens of this model are 0 to ${vocabulary - 1}.`;
    throw new ApiError({ status: 400, message, param, code: "invalid_value" });
  }
}

interface AdmittedQuestion {
  readonly question: Question;
  readonly tokens: readonly number[];
  readonly maxTokens: number;
  readonly turn: Turn;
  readonly gone: AbortSignal;
  readonly onDelta: ((delta: ServingDelta) => void) | undefined;
}

/** Waits for a turn, or no longer than somebody waits for the answer. */
async function firstOf(ready: Promise<void>, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<never>((_resolve, reject) => {
    const refuse = (): void => {
      reject(shuttingDown());
    };
    if (signal.aborted) refuse();
    signal.addEventListener("abort", refuse, { once: true });
  });
  await Promise.race([ready, stopped]);
}

function tooAmbiguous(): ApiError {
  return new ApiError({
    status: 400,
    message: `This JSON schema is too ambiguous: its grammar is beyond the limit of ${GRAMMAR_WORK.most} steps.`,
    param: "response_format.json_schema.schema",
    code: "unsupported_schema",
  });
}

function tooLong(tokens: number | string, contextSize: number): ApiError {
  return new ApiError({
    status: 400,
    message: `The prompt has ${tokens} tokens; the context takes ${contextSize}, the answer included.`,
    code: "context_length_exceeded",
  });
}
