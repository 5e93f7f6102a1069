import type { Api } from "./api.js";
import { byId, element } from "./elements.js";
import type { SampleFacts, SamplePage } from "./server-facts.js";

/** Samples in the list at once; the filter finds the others. */
const LISTED = 50;
/** Milliseconds without a key before the filter is sent. */
const PAUSE_MS = 200;
/** Characters of a value that are shown without being asked for, and of a sample in the list. */
const LONG = { value: 300, listed: 90 } as const;

/** The samples of the sweep: a list with a filter, and the one that was picked. */
export class SamplePicker {
  private readonly filter = byId("sample-filter", HTMLInputElement);
  private readonly list = byId("sample-list", HTMLSelectElement);
  private samples: readonly SampleFacts[] = [];
  private asked = 0;
  private pause: ReturnType<typeof setTimeout> | undefined;

  /** @param onProblem when the samples cannot be had. */
  constructor(
    private readonly api: Api,
    private readonly onProblem: (error: unknown) => void,
  ) {
    this.filter.addEventListener("input", () => {
      clearTimeout(this.pause);
      this.pause = setTimeout(() => {
        void this.load();
      }, PAUSE_MS);
    });
    this.filter.addEventListener("keydown", (event) => {
      // Enter would run whatever sample was picked before.
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) event.preventDefault();
    });
    this.list.addEventListener("change", () => {
      this.show();
    });
  }

  /** The sample that is picked; undefined where none fits the filter. */
  get picked(): SampleFacts | undefined {
    return this.samples[this.list.selectedIndex];
  }

  /** Fills the list with what fits the filter. Answers to older filters are dropped. */
  async load(): Promise<void> {
    this.asked += 1;
    const own = this.asked;
    const query = new URLSearchParams({ limit: String(LISTED), filter: this.filter.value.trim() });
    try {
      const page = await this.api.get<SamplePage>(`v1/boundary/samples?${query.toString()}`);
      if (own === this.asked) this.fill(page);
    } catch (error) {
      if (own === this.asked) this.onProblem(error);
    }
  }

  private fill({ total, data }: SamplePage): void {
    const before = this.picked;
    this.samples = data;
    this.list.replaceChildren(...data.map((sample) => element("option", titleOf(sample))));
    const place = data.findIndex(({ id, part }) => id === before?.id && part === before.part);
    this.list.selectedIndex = Math.max(0, place);
    const first = total > data.length ? `, of which the first ${data.length} are listed` : "";
    byId("sample-count", HTMLElement).textContent = `${total} ${total === 1 ? "sample" : "samples"}${first}`;
    this.show();
  }

  private show(): void {
    const details = byId("sample-details", HTMLElement);
    const sample = this.picked;
    if (!sample) {
      details.replaceChildren(element("p", "No sample fits the filter."));
      return;
    }
    const rows = Object.entries(sample.variables).map(([name, value]) => row(name, textOf(value)));
    const references = sample.references.map((text) => isolated(text === "" ? "(none)" : text));
    const asked = row("prompt", sample.prompt, "as the model reads it");
    details.replaceChildren(
      element("dl", ...rows, pair(references.length > 1 ? "references" : "reference", ...references), asked),
    );
  }
}

function titleOf({ id, part, variables }: SampleFacts): string {
  const values = Object.entries(variables);
  const [, value] = values.find(([name]) => name === "question") ?? values[0] ?? ["", ""];
  const text = textOf(value).replace(/\s+/g, " ");
  return `${id} (${part}): ${text.length > LONG.listed ? `${text.slice(0, LONG.listed)}…` : text}`;
}

function row(name: string, text: string, summary?: string): HTMLElement {
  if (text.length <= LONG.value && summary === undefined) return pair(name, isolated(text));
  const folded = element("details");
  folded.append(element("summary", summary ?? `${text.slice(0, 80)}… (${text.length} characters)`), isolated(text));
  return pair(name, folded);
}

function pair(name: string, ...values: readonly HTMLElement[]): HTMLElement {
  return element("div", element("dt", name), ...values.map((value) => element("dd", value)));
}

/** A text of the data: its direction is its own. */
function isolated(text: string): HTMLElement {
  const made = element("div", text);
  made.dir = "auto";
  made.className = "text";
  return made;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}
