import type { Question } from "./answer.js";
import type { Api } from "./api.js";
import { byId } from "./elements.js";
import { SamplePicker } from "./sample-picker.js";
import type { ServerFacts } from "./server-facts.js";

/** What keeps a question from being asked, and where to mend it. */
export interface Problem {
  readonly words: string;
  readonly field: HTMLElement;
}

/** Most tokens that are asked for where nobody says otherwise. */
const USUAL_TOKENS = 128;

/** What is asked: a prompt of one's own, or a sample of the sweep with the sweep's settings. */
export class QuestionForm {
  private readonly own = byId("own", HTMLElement);
  private readonly sample = byId("sample", HTMLElement);
  private readonly isSample = byId("source-sample", HTMLInputElement);
  private readonly isOwn = byId("source-own", HTMLInputElement);
  private readonly samples: SamplePicker | undefined;

  constructor(
    private readonly facts: ServerFacts,
    api: Api,
    onProblem: (error: unknown) => void,
  ) {
    const { run, chat, limits } = facts;
    const tokens = byId("max-tokens", HTMLInputElement);
    tokens.max = String(limits.maxTokens);
    tokens.value = String(Math.min(USUAL_TOKENS, limits.maxTokens));
    byId("system-field", HTMLElement).hidden = !chat;
    byId("completion-note", HTMLElement).hidden = chat;
    byId("source", HTMLElement).hidden = run === null;
    (run ? this.isSample : this.isOwn).checked = true;
    for (const choice of [this.isSample, this.isOwn]) {
      choice.addEventListener("change", () => {
        this.showSource();
      });
    }
    if (run) {
      const { maxTokens } = run.generation;
      const isSame = facts.exact && maxTokens <= limits.maxTokens;
      byId("sample-settings", HTMLElement).textContent =
        `Sent as the sweep asked it: at most ${maxTokens} tokens, temperature 0.` +
        (isSame ? " The answers are those that the sweep recorded." : "");
      this.samples = new SamplePicker(api, onProblem);
      void this.samples.load();
    }
    this.showSource();
  }

  /** The question as it stands, or what is wrong with it. */
  read(): Question | Problem {
    return this.isSample.checked ? this.sampleQuestion() : this.ownQuestion();
  }

  private showSource(): void {
    this.own.hidden = this.isSample.checked;
    this.sample.hidden = !this.isSample.checked;
  }

  private sampleQuestion(): Question | Problem {
    const [run, sample] = [this.facts.run, this.samples?.picked];
    if (!run || !sample) return { words: "Pick a sample first.", field: byId("sample-list", HTMLElement) };
    const { maxTokens, stop } = run.generation;
    const stops = stop.length > 0 ? { stop } : {};
    const body = { prompt: sample.prompt, max_tokens: maxTokens, temperature: 0, ...stops };
    return { path: "v1/completions", body, references: sample.references };
  }

  private ownQuestion(): Question | Problem {
    const field = byId("prompt", HTMLTextAreaElement);
    const system = byId("system", HTMLTextAreaElement).value;
    const prompt = field.value;
    if (prompt.trim() === "") return { words: "Write a prompt first.", field };
    const wrong = ["max-tokens", "temperature", "seed"].map((id) => byId(id, HTMLInputElement)).find(isWrong);
    if (wrong)
      return { words: `${wrong.labels?.[0]?.textContent.trim() ?? ""}: ${wrong.validationMessage}`, field: wrong };
    const seed = byId("seed", HTMLInputElement).value;
    const settings = {
      max_tokens: byId("max-tokens", HTMLInputElement).valueAsNumber,
      temperature: byId("temperature", HTMLInputElement).valueAsNumber,
      ...(seed === "" ? {} : { seed: Number(seed) }),
    };
    if (!this.facts.chat) return { path: "v1/completions", body: { prompt, ...settings }, references: [] };
    const messages = [
      ...(system.trim() === "" ? [] : [{ role: "system", content: system }]),
      { role: "user", content: prompt },
    ];
    return { path: "v1/chat/completions", body: { messages, ...settings }, references: [] };
  }
}

function isWrong(input: HTMLInputElement): boolean {
  return !input.checkValidity();
}
