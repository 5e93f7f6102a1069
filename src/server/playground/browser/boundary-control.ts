import { Curve } from "./curve.js";
import { byId } from "./elements.js";
import type { ServerFacts } from "./server-facts.js";

/** Slider, number and curve, which all hold the same K. */
export class BoundaryControl {
  private readonly slider = byId("slider", HTMLInputElement);
  private readonly number = byId("boundary-number", HTMLInputElement);
  private readonly curve: Curve | undefined;
  private boundary: number;
  private released: number;

  /** @param onRelease when K has come to rest elsewhere. */
  constructor(
    private readonly facts: ServerFacts,
    private readonly onRelease: () => void,
  ) {
    const { layers, run } = facts;
    for (const input of [this.slider, this.number]) input.max = String(layers);
    this.boundary = run?.chosen ?? Math.round(layers / 2);
    this.released = this.boundary;
    byId("curve-block", HTMLElement).hidden = run === null;
    if (run) {
      byId("curve-metric", HTMLElement).textContent = run.metric;
      this.curve = new Curve(run, layers, (boundary) => {
        this.move(boundary);
        this.release();
      });
    }
    this.slider.addEventListener("input", () => {
      this.move(this.slider.valueAsNumber);
    });
    this.slider.addEventListener("change", () => {
      this.release();
    });
    this.number.addEventListener("change", () => {
      const asked = Math.round(this.number.valueAsNumber);
      this.move(Number.isNaN(asked) ? this.boundary : Math.min(layers, Math.max(0, asked)));
      this.release();
    });
    this.move(this.boundary);
  }

  get value(): number {
    return this.boundary;
  }

  private move(boundary: number): void {
    const { layers, run } = this.facts;
    this.boundary = boundary;
    this.slider.value = String(boundary);
    this.number.value = String(boundary);
    const score = this.curve?.textAt(boundary);
    const role = boundary === 0 ? "the base model" : boundary === layers ? "the full adapter" : undefined;
    const notes = [role, run?.chosen === boundary ? "chosen by the sweep" : undefined, score].filter(
      (note) => note !== undefined,
    );
    const words = [`K=${boundary} of ${layers}`, ...notes].join(", ");
    this.slider.ariaValueText = words;
    byId("boundary-words", HTMLElement).textContent = words;
    this.curve?.mark(boundary);
  }

  private release(): void {
    if (this.released === this.boundary) return;
    this.released = this.boundary;
    this.onRelease();
  }
}
