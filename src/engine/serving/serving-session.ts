import { InsufficientMemoryError, type LlamaModel } from "node-llama-cpp";
import type { ScaledPiece } from "../../adapter/pieces.js";
import { Answering, type Vocabulary } from "./serving-answer.js";
import { ServingContext } from "./serving-context.js";
import { Grammars } from "./serving-grammar.js";
import type { SamplerGarbage } from "./sampler-garbage.js";
import type { ServedAnswer, ServingDelta, ServingOptions, ServingRequest, ServingStatus } from "./serving.js";

type Token = ReturnType<LlamaModel["tokenize"]>[number];

/** Contexts after whose end their wrappers are collected: they hold native memory that V8 does not know of. */
const EVICTIONS_TO_COLLECT = 16;

/** What a serving session is made of. */
export interface ServingSessionParts {
  readonly model: LlamaModel;
  readonly garbage: SamplerGarbage;
  readonly openContext: (pieces: readonly ScaledPiece[]) => ReturnType<LlamaModel["createContext"]>;
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
  private readonly answers = new Map<string, Answering>();
  private loop: Promise<void> | undefined;
  private evicted = 0;

  constructor(
    private readonly parts: ServingSessionParts,
    private readonly options: ServingOptions,
  ) {
    const { model } = parts;
    this.grammars = new Grammars(model);
    this.vocabulary = {
      detokenize: (tokens) => model.detokenize(tokens as readonly Token[]),
      isEndOfGeneration: (token) => model.isEogToken(token as Token),
    };
  }

  /** Makes the context of a mask. @throws InsufficientMemoryError. */
  async prepare(pieces: readonly ScaledPiece[]): Promise<void> {
    await this.loop;
    this.grammars.prepare();
    await this.contextOf(keyOf(pieces), pieces);
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
    });
  }

  private async run(): Promise<void> {
    for (;;) {
      await this.startWaiting();
      const busy = [...this.contexts.values()].filter(({ running }) => running > 0);
      if (busy.length === 0 && this.waiting.length === 0) return;
      for (const context of busy) await context.step();
    }
  }

  /** Begins waiting answers in their order, until one has to wait on: none may be overtaken for ever. */
  private async startWaiting(): Promise<void> {
    for (const { answering } of this.waiting) answering.endIfDue();
    for (;;) {
      const next = this.waiting[0];
      if (!next) return;
      if (next.answering.ended || (await this.started(next))) this.waiting.shift();
      else return;
    }
  }

  private async started({ answering, mask }: Waiting): Promise<boolean> {
    const { request } = answering;
    try {
      const context = await this.contextOf(mask, request.pieces);
      if (!context) return false;
      const grammar = request.schema === undefined ? undefined : this.grammars.begin(request.schema);
      return context.start(answering, { sampling: request.sampling, grammar, logprobs: request.logprobs });
    } catch (error) {
      answering.fail(error);
      return true;
    }
  }

  /** The context of a mask, made now where there is none; undefined while all others are busy. */
  private async contextOf(mask: string, pieces: readonly ScaledPiece[]): Promise<ServingContext | undefined> {
    const known = this.contexts.get(mask);
    if (known) {
      this.contexts.delete(mask);
      this.contexts.set(mask, known);
      return known;
    }
    while (this.contexts.size >= this.options.contexts) if (!(await this.evictIdle())) return undefined;
    for (;;) {
      try {
        const { model, garbage, openContext } = this.parts;
        const { sequences } = this.options.context;
        const context = await openContext(pieces);
        const made = new ServingContext({ model, context, sequences, garbage, exact: this.options.exact });
        this.contexts.set(mask, made);
        return made;
      } catch (error) {
        if (!(error instanceof InsufficientMemoryError) || !(await this.evictIdle())) throw error;
      }
    }
  }

  private async evictIdle(): Promise<boolean> {
    for (const [mask, context] of this.contexts) {
      if (context.running > 0) continue;
      this.contexts.delete(mask);
      await context.dispose();
      this.evicted += 1;
      if (this.evicted % EVICTIONS_TO_COLLECT === 0) globalThis.gc?.();
      return true;
    }
    return false;
  }
}

function keyOf(pieces: readonly ScaledPiece[]): string {
  return JSON.stringify(pieces.map(({ path, scale }) => [path, scale]));
}
