import { setImmediate } from "node:timers/promises";
import { at } from "../../assert.js";
import type { DirectContext } from "../direct/direct-context.js";
import { GrammarError } from "../grammar/rules.js";
import type { Answering } from "./serving-answer.js";
import { tokenSampler, type SamplerParts, type SamplerRequest, type TokenSampler } from "./serving-sampler.js";

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
  /** Tokens in the key/value cache. */
  cached: number[];
  /** How many of them, from the start, were computed in whole blocks of a prompt. */
  inBlocks: number;
  work: Work | undefined;
}

type BusySlot = Slot & { readonly work: Work };

/** What a serving context is made of. */
export interface ServingContextParts {
  /** Its adapters are those of the mask. */
  readonly context: DirectContext;
  readonly samplers: SamplerParts;
  readonly exact: boolean;
}

/**
 * A context of one mask that answers as many requests at once as it has sequences. A prompt is read in blocks of the batch size, each
 * by itself; between two blocks every answer under way takes one step, all in one batch or, where answers must be exact, each by itself.
 */
export class ServingContext {
  private readonly slots: readonly Slot[];
  private readonly blockSize: number;
  private turns = 0;

  constructor(private readonly parts: ServingContextParts) {
    const { batchSize, sequences } = parts.context.shape;
    this.blockSize = batchSize;
    this.slots = Array.from({ length: sequences }, (_, sequence) => ({
      sequence,
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
    const { tokens } = answering.request;
    const free = this.slots.filter(({ work }) => work === undefined);
    const [first] = free;
    if (!first) return false;
    const slot = free.reduce(
      (best, one) => (this.reusable(one, tokens) > this.reusable(best, tokens) ? one : best),
      first,
    );
    const reused = this.keep(slot, this.reusable(slot, tokens));
    slot.work = { answering, sampler: tokenSampler(sampler, this.parts.samplers), turn: this.turns++ };
    answering.begin(reused);
    return true;
  }

  /** One block of the oldest unread prompt, then one token for every other answer under way. */
  async step(): Promise<void> {
    this.dropEnded();
    const unread = this.busy().filter((slot) => !isRead(slot));
    const oldest = unread.sort((a, b) => a.work.turn - b.work.turn)[0];
    if (oldest) {
      await this.guarded([oldest], () => {
        this.readBlock(oldest);
      });
    }
    this.dropEnded();
    // In the order of their numbers: llama.cpp computes only runs of consecutive sequences together. Source: llama_batch_allocr::split_equal.
    const writing = this.busy().filter(isRead);
    const groups = this.parts.exact ? writing.map((slot) => [slot]) : writing.length > 0 ? [writing] : [];
    for (const group of groups) {
      await this.guarded(group, () => {
        this.writeTokens(group);
      });
    }
    this.dropEnded();
  }

  close(): void {
    this.parts.context.close();
  }

  private readBlock(slot: BusySlot): void {
    const { tokens } = slot.work.answering.request;
    const from = slot.cached.length;
    const end = Math.min(tokens.length, (Math.floor(from / this.blockSize) + 1) * this.blockSize);
    const block = tokens.slice(from, end);
    const rows = this.parts.context.decode(
      block.map((token, i) => {
        return { token, position: from + i, sequence: slot.sequence, output: from + i === tokens.length - 1 };
      }),
    );
    slot.cached.push(...block);
    if (block.length === this.blockSize && slot.inBlocks === from) slot.inBlocks = end;
    this.sample(rows.length === 0 ? [] : [slot], rows);
  }

  private writeTokens(slots: readonly BusySlot[]): void {
    const batch = slots.map(({ cached, sequence, work }) => {
      const token = work.answering.tokens.at(-1);
      if (token === undefined) throw new RangeError("an answer goes on from its last token");
      return { token, position: cached.length, sequence, output: true };
    });
    const rows = this.parts.context.decode(batch);
    for (const [i, { cached }] of slots.entries()) cached.push(at(batch, i).token);
    this.sample(slots, rows);
  }

  /** Draws a token for each by its row of logits; where that fails it ends one answer, not those of its batch. */
  private sample(slots: readonly BusySlot[], rows: readonly Float32Array[]): void {
    for (const [i, { work }] of slots.entries()) {
      const { answering, sampler } = work;
      try {
        const { token, choice } = sampler.sample(at(rows, i));
        answering.accept(token, choice);
      } catch (error) {
        if (error instanceof GrammarError) answering.end("grammar");
        else answering.fail(error);
      }
    }
  }

  /** A failure ends the answers of its batch; what their sequences hold is not known then. Afterwards this thread turns once: requests come and answers leave. */
  private async guarded(slots: readonly BusySlot[], work: () => void): Promise<void> {
    try {
      work();
    } catch (error) {
      for (const slot of slots) {
        slot.work.answering.fail(error);
        this.forget(slot);
      }
    }
    await setImmediate();
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
    const { context } = this.parts;
    const kept = count > 0 && context.holdsAll(slot.sequence) && context.tryForget(slot.sequence, count) ? count : 0;
    if (kept === 0) {
      this.forget(slot);
      return 0;
    }
    slot.cached = slot.cached.slice(0, kept);
    slot.inBlocks = Math.min(slot.inBlocks, kept);
    return kept;
  }

  private forget(slot: Slot): void {
    this.parts.context.forget(slot.sequence, 0);
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
