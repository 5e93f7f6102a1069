import { byId, drawn } from "./elements.js";
import type { CurvePoint, RunFacts } from "./server-facts.js";

const HEIGHT = 230;
const MARGIN = { top: 26, right: 18, bottom: 38, left: 40 } as const;
/** Pixels between two labels of the axis of K. */
const LABEL_PIXELS = 30;

/** Where values stand in the drawing. */
interface Scale {
  readonly x: (boundary: number) => number;
  readonly y: (value: number) => number;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

/** The sweep's curve: its points are buttons that set K, with the arrow keys going from one to the next. */
export class Curve {
  private readonly figure = byId("curve", HTMLElement);
  private readonly points: readonly CurvePoint[];
  private boundary = 0;
  private width = 0;
  private focused = 0;

  constructor(
    private readonly run: RunFacts,
    private readonly layers: number,
    private readonly onPick: (boundary: number) => void,
  ) {
    this.points = [...run.points].sort((a, b) => a.boundary - b.boundary);
    this.focused = Math.max(0, this.placeOf(run.chosen));
    new ResizeObserver(() => {
      if (this.figure.clientWidth !== this.width) this.draw();
    }).observe(this.figure);
  }

  /** Marks a boundary, whether the sweep tried it or not. */
  mark(boundary: number): void {
    this.boundary = boundary;
    const place = this.placeOf(boundary);
    if (place >= 0) this.focused = place;
    this.draw();
  }

  /** "contains 71.5 (66.0 to 77.0)" where the sweep tried this boundary. */
  textAt(boundary: number): string | undefined {
    const point = this.points[this.placeOf(boundary)];
    return point && `${this.run.metric} ${valueText(point)}`;
  }

  private placeOf(boundary: number): number {
    return this.points.findIndex((point) => point.boundary === boundary);
  }

  private draw(): void {
    this.width = this.figure.clientWidth;
    if (this.width === 0) return;
    const hadFocus = this.figure.contains(document.activeElement);
    const scale = this.scale();
    const label = `${this.run.metric} at every boundary that the sweep tried, with 95 % intervals`;
    const size = { width: this.width, height: HEIGHT, viewBox: `0 0 ${this.width} ${HEIGHT}` };
    const image = drawn("svg", { ...size, role: "group", "aria-label": label });
    image.append(...this.axes(scale), ...this.shapes(scale), ...this.marks(scale), ...this.buttons(scale));
    this.figure.replaceChildren(image);
    if (hadFocus) this.focusPoint(this.focused);
  }

  private scale(): Scale {
    const values = this.points.flatMap(({ value, low, high }) => [value, low, high]);
    const least = Math.max(0, 10 * Math.floor(Math.min(...values, 100) / 10));
    const most = Math.max(least + 10, Math.min(100, 10 * Math.ceil(Math.max(...values, 0) / 10)));
    const [left, right, bottom] = [MARGIN.left, this.width - MARGIN.right, HEIGHT - MARGIN.bottom];
    return {
      x: (boundary) => left + ((right - left) * boundary) / Math.max(1, this.layers),
      y: (value) => bottom - ((bottom - MARGIN.top) * (value - least)) / (most - least),
      ...{ left, right, bottom },
    };
  }

  private axes({ x, y, left, right, bottom }: Scale): SVGElement[] {
    const room = (right - left) / LABEL_PIXELS;
    const step = [1, 2, 5, 10, 20, 50].find((candidate) => this.layers / candidate <= room) ?? 100;
    const labels = Array.from({ length: Math.floor(this.layers / step) + 1 }, (_, i) => i * step);
    const levels = Array.from({ length: 11 }, (_, i) => i * 10).filter((value) => y(value) >= MARGIN.top - 1);
    const visible = levels.filter((value) => y(value) <= bottom + 1);
    const every = visible.length > 6 ? 2 : 1;
    const text = { class: "tick", "aria-hidden": "true" };
    return [
      ...visible
        .filter((_, i) => i % every === 0)
        .flatMap((value) => [
          drawn("line", { class: "rule", x1: left, x2: right, y1: y(value), y2: y(value) }),
          drawn("text", { ...text, x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)),
        ]),
      ...labels.map((boundary) =>
        drawn("text", { ...text, x: x(boundary), y: bottom + 17, "text-anchor": "middle" }, String(boundary)),
      ),
      drawn("text", { ...text, x: (left + right) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, "K: layers kept"),
    ];
  }

  private shapes({ x, y }: Scale): SVGElement[] {
    const path = (ends: readonly (readonly [number, number])[]): string =>
      ends.map(([boundary, value]) => `${x(boundary).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const low = this.points.map(({ boundary, low: value }) => [boundary, value] as const);
    const high = this.points.map(({ boundary, high: value }) => [boundary, value] as const);
    return [
      drawn("polygon", { class: "band", points: path([...high, ...low.reverse()]) }),
      drawn("polyline", {
        class: "line",
        points: path(this.points.map(({ boundary, value }) => [boundary, value] as const)),
      }),
    ];
  }

  private marks({ x, left, right, bottom }: Scale): SVGElement[] {
    const { chosen } = this.run;
    const upright = (boundary: number, kind: string, words: string): SVGElement[] => {
      const at = x(boundary);
      const anchor = at > (left + right) / 2 ? "end" : "start";
      const place = { x: anchor === "end" ? at + 6 : at - 6, y: kind === "chosen" ? 18 : HEIGHT - MARGIN.bottom - 6 };
      const beside = kind === "chosen" ? place : { ...place, x: anchor === "end" ? at - 7 : at + 7 };
      return [
        drawn("line", { class: kind, x1: at, x2: at, y1: MARGIN.top - 4, y2: bottom }),
        drawn("text", { class: `${kind}-text`, ...beside, "text-anchor": anchor, "aria-hidden": "true" }, words),
      ];
    };
    return [
      ...upright(chosen, "chosen", `chosen K=${chosen}`),
      ...(this.boundary === chosen ? [] : upright(this.boundary, "current", `K=${this.boundary}`)),
    ];
  }

  /** Each point with a stretch of the plot around it, so that a finger finds it. */
  private buttons({ x, y, left, right, bottom }: Scale): SVGElement[] {
    const between = (i: number): number | undefined => {
      const [a, b] = [this.points[i], this.points[i + 1]];
      return a && b ? (x(a.boundary) + x(b.boundary)) / 2 : undefined;
    };
    return this.points.map((point, i) => {
      const { boundary, value } = point;
      const [from, to] = [between(i - 1) ?? left - 12, between(i) ?? right + 12];
      const isChosen = boundary === this.run.chosen;
      const isCurrent = boundary === this.boundary;
      const centre = { cx: x(boundary), cy: y(value) };
      const button = drawn(
        "g",
        {
          class: `point${isCurrent ? " is-current" : ""}`,
          role: "button",
          tabindex: i === this.focused ? 0 : -1,
          "aria-pressed": String(isCurrent),
          "aria-label": `K=${boundary}: ${valueText(point)}${isChosen ? ", chosen by the sweep" : ""}`,
        },
        drawn("rect", { class: "hit", x: from, y: MARGIN.top, width: to - from, height: bottom - MARGIN.top }),
        drawn("circle", { class: "ring", ...centre, r: 10 }),
        drawn("circle", { class: "dot", ...centre, r: isCurrent ? 6 : this.points.length > 40 ? 2.5 : 4 }),
      );
      button.addEventListener("click", () => {
        this.pick(i);
      });
      button.addEventListener("keydown", (event) => {
        this.onKey(event, i);
      });
      return button;
    });
  }

  private onKey(event: KeyboardEvent, i: number): void {
    const last = this.points.length - 1;
    const steps: Readonly<Record<string, number>> = {
      ...{ ArrowRight: i + 1, ArrowUp: i + 1, ArrowLeft: i - 1, ArrowDown: i - 1 },
      ...{ Home: 0, End: last },
    };
    const next = steps[event.key];
    // With a modifier, Enter runs the question.
    const isPick = (event.key === "Enter" || event.key === " ") && !event.ctrlKey && !event.metaKey;
    if (next === undefined && !isPick) return;
    event.preventDefault();
    if (next === undefined) this.pick(i);
    else this.focusPoint(Math.min(last, Math.max(0, next)));
  }

  private pick(i: number): void {
    const point = this.points[i];
    if (!point) return;
    this.focused = i;
    this.onPick(point.boundary);
    this.focusPoint(i);
  }

  private focusPoint(i: number): void {
    this.focused = i;
    this.figure.querySelectorAll<SVGElement>(".point").forEach((button, at) => {
      button.setAttribute("tabindex", at === i ? "0" : "-1");
      if (at === i) button.focus();
    });
  }
}

function valueText({ value, low, high }: CurvePoint): string {
  return `${value.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}
