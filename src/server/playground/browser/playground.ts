import type { Question } from "./answer.js";
import type { Api } from "./api.js";
import { BoundaryControl } from "./boundary-control.js";
import { Column, type Asked } from "./column.js";
import { byId, element } from "./elements.js";
import { QuestionForm } from "./question-form.js";
import type { ServerFacts } from "./server-facts.js";

/** The page at work: one question, answered side by side by the columns that are chosen. */
export class Playground {
  private readonly base = new Column("base");
  private readonly full = new Column("full");
  private readonly last = new Column("boundary");
  private readonly columns = [this.base, this.full, this.last] as const;
  private readonly marks = byId("marks", HTMLInputElement);
  private readonly form: QuestionForm;
  private readonly control: BoundaryControl;
  private asked: Question | undefined;

  constructor(
    private readonly facts: ServerFacts,
    private readonly api: Api,
  ) {
    this.base.title("base", "K=0");
    this.full.title("full", `K=${facts.layers}`);
    this.form = new QuestionForm(facts, api, (error) => {
      this.problem(error instanceof Error ? error.message : String(error));
    });
    this.control = new BoundaryControl(facts, () => {
      this.askLast();
    });
    this.nameLast();
    this.listen();
  }

  private listen(): void {
    byId("ask", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.run();
    });
    byId("stop", HTMLButtonElement).addEventListener("click", () => {
      for (const column of this.columns) column.stop();
    });
    this.marks.addEventListener("change", () => {
      this.compare();
    });
    for (const column of this.columns) {
      const box = byId(`show-${column.name}`, HTMLInputElement);
      const show = (): void => {
        column.isShown = box.checked;
        byId("columns", HTMLElement).dataset["count"] = String(this.shown.length);
        this.compare();
      };
      box.addEventListener("change", show);
      show();
    }
  }

  private get shown(): Column[] {
    return this.columns.filter(({ isShown }) => isShown);
  }

  /** Asks every chosen column; answers under way are given up. */
  private run(): void {
    const question = this.form.read();
    if ("words" in question) {
      this.problem(question.words);
      question.field.focus();
      return;
    }
    if (this.shown.length === 0) {
      this.problem("Choose at least one column.");
      byId("show-base", HTMLElement).focus();
      return;
    }
    this.problem("");
    this.asked = question;
    showReferences(question);
    for (const column of this.columns) if (!column.isShown) column.reset();
    void this.follow(question, this.shown);
  }

  /** Asks the last column again, at another K. */
  private askLast(): void {
    this.nameLast();
    if (!this.last.isShown) this.last.reset();
    else if (this.asked) void this.follow(this.asked, [this.last]);
  }

  private nameLast(): void {
    const { value } = this.control;
    this.last.title("boundary", `K=${value}${this.facts.run?.chosen === value ? ", chosen" : ""}`);
  }

  /** Waits for the answers; the last one to end tells so and marks the differences. */
  private async follow(question: Question, columns: readonly Column[]): Promise<void> {
    const stop = byId("stop", HTMLElement);
    const said = byId("said", HTMLElement);
    said.textContent = "";
    stop.ariaDisabled = "false";
    const asking = Promise.all(columns.map((column) => column.ask(this.api, question, this.modelOf(column))));
    this.compare();
    await asking;
    if (this.columns.some(({ isRunning }) => isRunning)) return;
    stop.ariaDisabled = "true";
    said.textContent = columns.map(({ name, outcome }) => `${name}: ${outcome}`).join("; ");
    this.compare();
  }

  private modelOf(column: Column): Asked {
    if (column !== this.last) return { model: column.name };
    return { model: "full", boundary: this.control.value };
  }

  /** Sets every whole answer against the full adapter's, or the base's where that column is not shown. */
  private compare(): void {
    const other = this.full.isShown ? this.full : this.base;
    const isMarked = this.marks.checked && other.isShown && other.answer !== undefined;
    for (const column of this.shown) {
      column.compareWith(isMarked && column !== other ? other.answer : undefined);
    }
    byId("marks-note", HTMLElement).hidden = !isMarked || this.shown.length < 2;
    byId("marks-other", HTMLElement).textContent = other.name;
  }

  private problem(words: string): void {
    const place = byId("problem", HTMLElement);
    place.textContent = words;
    place.hidden = words === "";
  }
}

/** The right answers above the columns, where they are known. */
function showReferences({ references }: Question): void {
  const place = byId("asked-references", HTMLElement);
  place.hidden = references.length === 0;
  const texts = references.map((text) => element("bdi", text === "" ? "(none)" : text));
  const parts = texts.flatMap((text) => [" · ", text]).slice(1);
  place.replaceChildren(references.length > 1 ? "References: " : "Reference: ", ...parts);
}
