import { InsufficientMemoryError, type LlamaModel } from "node-llama-cpp";
import type { ScaledPiece } from "../../adapter/pieces.js";
import { Answering, type Vocabulary } from "./serving-answer.js";
import { CandidateSampler } from "../direct/candidate-sampler.js";
import type { DirectModel } from "../direct/direct-model.js";
import { ServingContext } from "./serving-context.js";
import { Grammars } from "./serving-grammar.js";
import type { SamplerParts } from "./serving-sampler.js";
import type { ServedAnswer, ServingDelta, ServingOptions, ServingRequest, ServingStatus } from "./serving.js";

type Token = ReturnType<LlamaModel["tokenize"]>[number];

/** What a serving session is made of. */
export interface ServingSessionParts {
  /** The vocabulary only. */
  readonly model: LlamaModel;
  readonly direct: DirectModel;
}

interface Waiting {
  readonly answering: Answering;
  readonly mask: string;
}

/**
 * Answers many requests at once inside the engine's process. Requests begin in the order in which they came, as soon as a sequence of
 * their mask's context is free. One context serves one mask, always: the key/value cache does not notice a change of adapter.
 */
export class ServingSession {
  /** By mask; the one that was used longest ago comes first. */
  private readonly contexts = new Map<string, ServingContext>();
  private readonly waiting: Waiting[] = [];
  private readonly grammars: Grammars;
  private readonly vocabulary: Vocabulary;
  private readonly samplers: SamplerParts;
  private readonly answers = new Map<string, Answering>();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly parts: ServingSessionParts,
    private readonly options: ServingOptions,
  ) {
    const { model, direct } = parts;
    this.grammars = new Grammars(model, (token) => direct.tokenText(token));
    this.samplers = {
      drawing: (settings) => new CandidateSampler(direct.library, direct.vocabulary, settings),
      textOf: (token) => model.detokenize([token as Token], true),
    };
    this.vocabulary = {
      detokenize: (tokens) => model.detokenize(tokens as readonly Token[]),
      isEndOfGeneration: (token) => model.isEogToken(token as Token),
    };
  }

  /** Makes the context of a mask. @throws InsufficientMemoryError. */
  async prepare(pieces: readonly ScaledPiece[]): Promise<void> {
    await this.loop;
    this.grammars.prepare();
    this.contextOf(keyOf(pieces), pieces);
  }

  answer(request: ServingRequest, onDelta: (delta: ServingDelta) => void): Promise<ServedAnswer> {
    return new Promise((resolve, reject) => {
      const answering = new Answering(request, this.vocabulary, {
        onDelta,
        onEnd: (answer) => {
          this.answers.delete(request.id);
          resolve(answer);
        },
        onError: (error) => {
          this.answers.delete(request.id);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      });
      this.answers.set(request.id, answering);
      this.waiting.push({ answering, mask: keyOf(request.pieces) });
      this.wake();
    });
  }

  /** Ends an answer that nobody waits for any more. */
  cancel(id: string): void {
    this.answers.get(id)?.cancel();
    this.wake();
  }

  /** Closes all contexts; no answer may be under way. */
  close(): void {
    for (const context of this.contexts.values()) context.close();
    this.contexts.clear();
  }

  status(): ServingStatus {
    return {
      residentBytes: process.memoryUsage.rss(),
      contexts: this.contexts.size,
      running: [...this.contexts.values()].reduce((sum, { running }) => sum + running, 0),
      waiting: this.waiting.length,
    };
  }

  private wake(): void {
    this.loop ??= this.run().finally(() => {
      this.loop = undefined;
      // It may have come to its end just before a request came.
      if (this.waiting.length > 0) this.wake();
    });
  }

  private async run(): Promise<void> {
    for (;;) {
      this.startWaiting();
      const busy = [...this.contexts.values()].filter(({ running }) => running > 0);
      if (busy.length === 0 && this.waiting.length === 0) return;
      for (const context of busy) await context.step();
    }
  }

  /** Begins waiting answers in their order, until one has to wait on: none may be overtaken for ever. */
  private startWaiting(): void {
    for (const { answering } of this.waiting) answering.endIfDue();
    for (;;) {
      const next = this.waiting[0];
      if (!next) return;
      if (next.answering.ended || this.started(next)) this.waiting.shift();
      else return;
    }
  }

  private started({ answering, mask }: Waiting): boolean {
    const { request } = answering;
    try {
      const context = this.contextOf(mask, request.pieces);
      if (!context) return false;
      const grammar = request.schema === undefined ? undefined : this.grammars.begin(request.schema);
      return context.start(answering, { sampling: request.sampling, grammar, logprobs: request.logprobs });
    } catch (error) {
      answering.fail(error);
      return true;
    }
  }

  /** The context of a mask, made now where there is none; undefined while all others are busy. */
  private contextOf(mask: string, pieces: readonly ScaledPiece[]): ServingContext | undefined {
    const known = this.contexts.get(mask);
    if (known) {
      this.contexts.delete(mask);
      this.contexts.set(mask, known);
      return known;
    }
    while (this.contexts.size >= this.options.contexts) if (!this.evictIdle()) return undefined;
    for (;;) {
      try {
        const { direct } = this.parts;
        const adapters = direct.adaptersOf(pieces, "plain");
        const context = direct.openContext(this.options.context);
        context.setAdapters(adapters);
        const made = new ServingContext({ context, samplers: this.samplers, exact: this.options.exact });
        this.contexts.set(mask, made);
        return made;
      } catch (error) {
        if (!(error instanceof InsufficientMemoryError) || !this.evictIdle()) throw error;
      }
    }
  }

  private evictIdle(): boolean {
    for (const [mask, context] of this.contexts) {
      if (context.running > 0) continue;
      this.contexts.delete(mask);
      context.close();
      return true;
    }
    return false;
  }
}

function keyOf(pieces: readonly ScaledPiece[]): string {
  return JSON.stringify(pieces.map(({ path, scale }) => [path, scale]));
}
