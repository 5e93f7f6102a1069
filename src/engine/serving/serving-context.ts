import type { LlamaContext, LlamaModel } from "node-llama-cpp";
import { GrammarError } from "../grammar/rules.js";
import type { Answering } from "./serving-answer.js";
import { nativeContext, type LogitsPlace, type NativeContext } from "./serving-native.js";
import { SamplerMaker, type SamplerRequest, type TokenSampler } from "./serving-sampler.js";
import type { SamplerGarbage } from "./sampler-garbage.js";

/** An answer on its way through a sequence. */
interface Work {
  readonly answering: Answering;
  readonly sampler: TokenSampler;
  /** Counts the answers of the context, so that prompts are read in the order in which they came. */
  readonly turn: number;
}

/** A sequence of the context: what its key/value cache holds, and who uses it. */
interface Slot {
  readonly sequence: number;
  readonly samplers: SamplerMaker;
  /** Tokens in the key/value cache. */
  cached: number[];
  /** How many of them, from the start, were computed in whole blocks of a prompt. */
  inBlocks: number;
  work: Work | undefined;
}

type BusySlot = Slot & { readonly work: Work };

/** What a serving context is made of. */
export interface ServingContextParts {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  readonly sequences: number;
  readonly garbage: SamplerGarbage;
  readonly exact: boolean;
}

/**
 * A context of one mask that answers as many requests at once as it has sequences. A prompt is read in blocks of the batch size, each
 * by itself; between two blocks every answer under way takes one step, all in one batch or, where answers must be exact, each by itself.
 */
export class ServingContext {
  private readonly slots: readonly Slot[];
  private readonly native: NativeContext;
  private readonly blockSize: number;
  private turns = 0;

  constructor(private readonly parts: ServingContextParts) {
    this.native = nativeContext(parts.context);
    this.blockSize = parts.context.batchSize;
    this.slots = Array.from({ length: parts.sequences }, (_, sequence) => ({
      sequence,
      samplers: new SamplerMaker(parts.model),
      cached: [],
      inBlocks: 0,
      work: undefined,
    }));
  }

  get running(): number {
    return this.busy().length;
  }

  /** Begins an answer in the free sequence that knows most of its prompt; false when none is free. */
  start(answering: Answering, sampler: SamplerRequest): boolean {
    const { tokens, maxTokens } = answering.request;
    const free = this.slots.filter(({ work }) => work === undefined);
    const [first] = free;
    if (!first) return false;
    const slot = free.reduce(
      (best, one) => (this.reusable(one, tokens) > this.reusable(best, tokens) ? one : best),
      first,
    );
    const reused = this.keep(slot, this.reusable(slot, tokens));
    const made = slot.samplers.make(sampler, maxTokens);
    if (made.isNew) this.parts.garbage.sampled(1);
    slot.work = { answering, sampler: made.sampler, turn: this.turns++ };
    answering.begin(reused);
    return true;
  }

  /** One block of the oldest unread prompt, then one token for every other answer under way. */
  async step(): Promise<void> {
    this.dropEnded();
    const unread = this.busy().filter((slot) => !isRead(slot));
    const oldest = unread.sort((a, b) => a.work.turn - b.work.turn)[0];
    if (oldest) await this.guarded([oldest], () => this.readBlock(oldest));
    this.dropEnded();
    // In the order of their numbers: llama.cpp computes only runs of consecutive sequences together. Source: llama_batch_allocr::split_equal.
    const writing = this.busy().filter(isRead);
    const groups = this.parts.exact ? writing.map((slot) => [slot]) : writing.length > 0 ? [writing] : [];
    for (const group of groups) await this.guarded(group, () => this.writeTokens(group));
    this.dropEnded();
  }

  async dispose(): Promise<void> {
    for (const { samplers } of this.slots) samplers.dispose();
    this.parts.garbage.sampled(this.slots.length);
    await this.parts.context.dispose();
  }

  private async readBlock(slot: BusySlot): Promise<void> {
    const { tokens } = slot.work.answering.request;
    const from = slot.cached.length;
    const end = Math.min(tokens.length, (Math.floor(from / this.blockSize) + 1) * this.blockSize);
    const block = tokens.slice(from, end);
    const last = end === tokens.length;
    this.native.initBatch(block.length);
    const logitsAt = last ? Uint32Array.of(block.length - 1) : new Uint32Array();
    const [place] = this.native.addToBatch(slot.sequence, from, Uint32Array.from(block), logitsAt);
    await this.native.decodeBatch();
    slot.cached.push(...block);
    if (block.length === this.blockSize && slot.inBlocks === from) slot.inBlocks = end;
    if (place !== undefined) await this.sample([{ slot, place: place as LogitsPlace }]);
  }

  private async writeTokens(slots: readonly BusySlot[]): Promise<void> {
    this.native.initBatch(slots.length);
    const sampled = slots.map((slot) => {
      const token = slot.work.answering.tokens.at(-1);
      if (token === undefined) throw new RangeError("an answer goes on from its last token");
      const [place] = this.native.addToBatch(
        slot.sequence,
        slot.cached.length,
        Uint32Array.of(token),
        Uint32Array.of(0),
      );
      if (place === undefined) throw new RangeError("one token was asked for");
      return { slot, token, place: place as LogitsPlace };
    });
    await this.native.decodeBatch();
    for (const { slot, token } of sampled) slot.cached.push(token);
    await this.sample(sampled);
  }

  /** Draws a token for each; where that fails it ends one answer, not those of its batch. */
  private async sample(places: readonly { slot: BusySlot; place: LogitsPlace }[]): Promise<void> {
    await Promise.all(
      places.map(async ({ slot, place }) => {
        const { answering, sampler } = slot.work;
        try {
          const { token, choice } = await sampler.sample(this.native, place);
          answering.accept(token, choice);
        } catch (error) {
          if (error instanceof GrammarError) answering.end("grammar");
          else answering.fail(error);
        }
      }),
    );
  }

  /** A failure ends the answers of its batch; what their sequences hold is not known then. */
  private async guarded(slots: readonly BusySlot[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      for (const slot of slots) {
        slot.work.answering.fail(error);
        this.forget(slot);
      }
    }
  }

  private dropEnded(): void {
    for (const slot of this.busy()) {
      if (!slot.work.answering.endIfDue()) continue;
      slot.work.sampler.dispose();
      (slot as Slot).work = undefined;
    }
  }

  private busy(): BusySlot[] {
    return this.slots.filter((slot): slot is BusySlot => slot.work !== undefined);
  }

  /** How many tokens of this prompt need not be computed again; the last one always is, for its logits. */
  private reusable(slot: Slot, tokens: readonly number[]): number {
    const known = Math.min(commonPrefix(slot.cached, tokens), tokens.length - 1);
    if (!this.parts.exact) return known;
    return Math.floor(Math.min(known, slot.inBlocks) / this.blockSize) * this.blockSize;
  }

  /** Cuts a sequence back to its first tokens, or empties it where the model's memory has no way back; returns how many stayed. */
  private keep(slot: Slot, count: number): number {
    if (count === slot.cached.length) return count;
    const whole = this.native.getSequenceKvCacheMinPosition(slot.sequence) <= 0;
    const cut = count > 0 && whole;
    const kept = cut && this.native.removeTokenCellsFromSequence(slot.sequence, count, slot.cached.length) ? count : 0;
    if (kept === 0) {
      this.forget(slot);
      return 0;
    }
    slot.cached = slot.cached.slice(0, kept);
    slot.inBlocks = Math.min(slot.inBlocks, kept);
    return kept;
  }

  private forget(slot: Slot): void {
    this.native.disposeSequence(slot.sequence);
    slot.cached = [];
    slot.inBlocks = 0;
  }
}

function isRead({ cached, work }: BusySlot): boolean {
  const { request, tokens } = work.answering;
  return cached.length >= request.tokens.length && tokens.length > 0;
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}
