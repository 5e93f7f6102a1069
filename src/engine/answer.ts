import type { Generation, Prompt, StopReason } from "./engine.js";

/** What ends an answer besides the model itself. */
export interface AnswerLimits {
  readonly maxTokens: number;
  /** Strings that end an answer; they are cut off. */
  readonly stop: readonly string[];
}

/** What generation must know of a vocabulary. */
export interface WaveVocabulary {
  isEndOfGeneration(token: number): boolean;
  text(tokens: readonly number[]): string;
}

/** One answer in the making. */
export class AnswerInProgress {
  readonly tokens: number[] = [];
  prefillMs = 0;
  decodeMs = 0;
  decodedTokens = 0;
  private stopReason: StopReason | undefined;

  constructor(
    readonly prompt: Prompt,
    private readonly vocabulary: WaveVocabulary,
    private readonly limits: AnswerLimits,
  ) {}

  get isFinished(): boolean {
    return this.stopReason !== undefined;
  }

  /** Position of the last token that is known: it is the next to be evaluated. */
  get position(): number {
    return this.prompt.tokens.length + this.tokens.length - 1;
  }

  /** Takes the most probable next token; undefined where the engine ends the text. */
  accept(token: number | undefined): void {
    if (this.isFinished) throw new RangeError("a finished answer takes no token");
    if (token === undefined || this.vocabulary.isEndOfGeneration(token)) {
      this.stopReason = "eog";
      return;
    }
    this.tokens.push(token);
    const { stop, maxTokens } = this.limits;
    if (stop.length > 0 && stopAt(this.vocabulary.text(this.tokens), stop) !== undefined) this.stopReason = "stop";
    else if (this.tokens.length >= maxTokens) this.stopReason = "length";
  }

  /**
   * Takes what follows the last token and each token of a draft behind it, as long as the draft is what the model itself says.
   * @param next most probable tokens: after the last token, then after each of the draft.
   * @returns how many tokens of the draft were taken.
   */
  acceptDraft(draft: readonly number[], next: readonly (number | undefined)[]): number {
    for (const [i, token] of next.entries()) {
      this.accept(token);
      if (this.isFinished || token !== draft[i]) return Math.min(i, draft.length);
    }
    return draft.length;
  }

  /** @throws RangeError while it is unfinished. */
  generation(): Generation {
    if (this.stopReason === undefined) throw new RangeError("the answer is not finished");
    const text = this.vocabulary.text(this.tokens);
    return {
      id: this.prompt.id,
      text: text.slice(0, stopAt(text, this.limits.stop)),
      tokens: [...this.tokens],
      stopReason: this.stopReason,
      promptTokens: this.prompt.tokens.length,
      prefillMs: this.prefillMs,
      decodeMs: this.decodeMs,
      decodedTokens: this.decodedTokens,
    };
  }
}

function stopAt(text: string, stop: readonly string[]): number | undefined {
  const found = stop.map((string) => text.indexOf(string)).filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}
