import { streamAnswer, type Ending, type Question } from "./answer.js";
import { RequestError, type Api } from "./api.js";
import { byId, element } from "./elements.js";
import { wordChanges, type Change } from "./word-changes.js";

/** What a column asks. */
export interface Asked {
  readonly model: string;
  readonly boundary?: number;
}

/** Answers side by side: one column, with one answer under way at most. */
export class Column {
  private readonly root: HTMLElement;
  private running: AbortController | undefined;
  private text = "";
  private isWhole = false;
  /** What became of the last question, for the one line that is read out. */
  outcome = "";

  /** @param name `base`, `full` or `boundary`: the ids of its elements begin with it. */
  constructor(readonly name: string) {
    this.root = byId(`${name}-column`, HTMLElement);
  }

  /** The whole answer; undefined while it is not there. */
  get answer(): string | undefined {
    return this.isWhole ? this.text : undefined;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  get isShown(): boolean {
    return !this.root.hidden;
  }

  /** Without it, an answer under way is given up. */
  set isShown(isShown: boolean) {
    this.root.hidden = !isShown;
    if (!isShown) this.stop();
  }

  /** The column's name on the page. */
  title(text: string, boundary: string): void {
    byId(`${this.name}-title`, HTMLElement).replaceChildren(text, " ", element("span", boundary));
  }

  /** Forgets its answer, which belongs to another question or boundary. */
  reset(): void {
    this.stop();
    this.running = undefined;
    this.clear();
    this.state("Not asked yet", "idle");
  }

  /** Ends the answer under way; what has come of it stays. */
  stop(): void {
    this.running?.abort();
  }

  /** Asks anew. An answer under way is given up. Errors show in the column; resolves when the answer has ended, however it did. */
  async ask(api: Api, question: Question, asked: Asked): Promise<void> {
    this.stop();
    const controller = new AbortController();
    this.running = controller;
    this.clear();
    this.root.ariaBusy = "true";
    this.state("Answering …", "running");
    const started = performance.now();
    const isCurrent = (): boolean => this.running === controller;
    try {
      const ending = await streamAnswer(api, question, asked, controller.signal, (text) => {
        if (!isCurrent() || controller.signal.aborted) return;
        if (this.text === "") this.fact("first", `${Math.round(performance.now() - started)} ms`);
        this.grow(text);
      });
      if (isCurrent()) this.end(ending);
    } catch (error) {
      if (isCurrent()) this.fail(error, controller.signal.aborted);
    } finally {
      if (isCurrent()) {
        this.running = undefined;
        this.root.ariaBusy = "false";
      }
    }
  }

  /** Shows how the answer differs from another; with undefined, the answer as it is. Nothing while it is not whole. */
  compareWith(other: string | undefined): void {
    if (!this.isWhole) return;
    if (this.text === "") this.content.replaceChildren(element("em", "(empty)"));
    else if (other === undefined) this.content.replaceChildren(this.text);
    else this.content.replaceChildren(...wordChanges(other, this.text).flatMap(marked));
  }

  private get content(): HTMLElement {
    return byId(`${this.name}-text`, HTMLElement);
  }

  private clear(): void {
    this.text = "";
    this.isWhole = false;
    this.content.replaceChildren();
    for (const name of ["first", "rate", "tokens", "ended"]) this.fact(name, "–");
    this.root.ariaBusy = "false";
  }

  private grow(text: string): void {
    this.text += text;
    const last = this.content.lastChild;
    if (last instanceof Text) last.appendData(text);
    else this.content.append(text);
  }

  private end({ finish, tokens, tokensPerSecond }: Ending): void {
    this.isWhole = true;
    this.fact("tokens", String(tokens));
    this.fact("rate", tokensPerSecond === null ? "–" : tokensPerSecond.toFixed(1));
    this.fact("ended", finish === "length" ? "at the limit" : "by itself");
    this.state("Finished", "finished");
    this.outcome = `${tokens} ${tokens === 1 ? "token" : "tokens"}`;
    this.compareWith(undefined);
  }

  private fail(error: unknown, isStopped: boolean): void {
    const words = error instanceof RequestError ? error.message : String(error);
    if (isStopped) this.state("Stopped", "stopped");
    else this.state(words, "failed");
    this.fact("ended", isStopped ? "stopped" : "failed");
    this.outcome = isStopped ? "stopped" : words;
  }

  private state(words: string, kind: "idle" | "running" | "finished" | "stopped" | "failed"): void {
    byId(`${this.name}-state`, HTMLElement).textContent = words;
    this.root.dataset["state"] = kind;
  }

  private fact(name: string, text: string): void {
    byId(`${this.name}-${name}`, HTMLElement).textContent = text;
  }
}

/** White space at the end of a marked stretch is not marked; what was removed never touches what came for it. */
function marked({ text, kind }: Change): (string | Node)[] {
  const words = text.trimEnd();
  const space = text.slice(words.length);
  if (kind === "removed") return words === "" ? [] : [element("del", words), space === "" ? " " : space];
  return kind === "same" || words === "" ? [text] : [element("ins", words), space];
}
