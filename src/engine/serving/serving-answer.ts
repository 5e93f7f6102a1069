import type { ServedAnswer, ServedStop, ServingDelta, ServingRequest, TokenChoice } from "./serving.js";
import { AnswerText } from "./serving-text.js";

/** What an answer needs of the model's vocabulary. */
export interface Vocabulary {
  detokenize(tokens: readonly number[]): string;
  isEndOfGeneration(token: number): boolean;
}

/** Who waits for an answer. */
export interface AnswerListener {
  onDelta(delta: ServingDelta): void;
  onEnd(answer: ServedAnswer): void;
  onError(error: unknown): void;
}

/** One answer in the making, from its arrival to its end. It knows nothing of contexts. */
export class Answering {
  readonly tokens: number[] = [];
  private readonly choices: TokenChoice[] = [];
  private readonly text: AnswerText;
  private readonly arrived = performance.now();
  private parts = "";
  private untold: TokenChoice[] = [];
  private started: number | undefined;
  private firstToken: number | undefined;
  private reusedTokens = 0;
  private over = false;
  private unwanted = false;

  constructor(
    readonly request: ServingRequest,
    private readonly vocabulary: Vocabulary,
    private readonly listener: AnswerListener,
  ) {
    this.text = new AnswerText((tokens) => vocabulary.detokenize(tokens), request.stop);
  }

  get ended(): boolean {
    return this.over;
  }

  /** Says that work on it begins now, with so many tokens of its prompt known already. */
  begin(reusedTokens: number): void {
    this.started = performance.now();
    this.reusedTokens = reusedTokens;
  }

  /** Nobody waits any more: it ends at the next chance. */
  cancel(): void {
    this.unwanted = true;
  }

  /** Ends it where it was cancelled or its time is over; true when it has ended. */
  endIfDue(): boolean {
    if (this.over) return true;
    if (this.unwanted) this.end("cancelled");
    else if (this.started !== undefined && performance.now() - this.started > this.request.maxMs) this.end("time");
    return this.over;
  }

  /** Takes the next token, -1 where there is none; ends the answer when that was the last one. */
  accept(token: number, choice: TokenChoice | undefined): void {
    this.firstToken ??= performance.now();
    if (token < 0 || this.vocabulary.isEndOfGeneration(token)) {
      this.end("eog");
      return;
    }
    this.tokens.push(token);
    if (choice) {
      this.choices.push(choice);
      this.untold.push(choice);
    }
    const { text, stopped } = this.text.push(token);
    this.tell(text);
    if (stopped) this.end("stop");
    else if (this.tokens.length >= this.request.maxTokens) this.end("length");
  }

  fail(error: unknown): void {
    if (this.over) return;
    this.over = true;
    this.listener.onError(error);
  }

  end(stopReason: ServedStop): void {
    if (this.over) return;
    this.over = true;
    const rest = this.text.finish();
    this.tell(rest, { last: true });
    const now = performance.now();
    const started = this.started ?? now;
    const firstToken = this.firstToken ?? now;
    this.listener.onEnd({
      text: this.parts,
      tokens: this.tokens,
      stopReason,
      choices: this.choices,
      promptTokens: this.request.tokens.length,
      reusedTokens: this.reusedTokens,
      queuedMs: started - this.arrived,
      prefillMs: firstToken - started,
      decodeMs: now - firstToken,
    });
  }

  /** Hands on text with the probabilities of the tokens since the last piece; these wait for text unless it is the last piece. */
  private tell(text: string, { last = false }: { last?: boolean } = {}): void {
    this.parts += text;
    if (!this.request.stream || (text === "" && !(last && this.untold.length > 0))) return;
    this.listener.onDelta({ text, choices: this.untold });
    this.untold = [];
  }
}
