import { at } from "../../assert.js";
import type { LayerTimes, PassRequest } from "../layer-passes.js";
import type { DirectModel } from "./direct-model.js";
import { GraphTap } from "./graph-tap.js";
import { isEmbedding } from "./hidden-tap.js";
import { isLayerOutput, layerOf } from "./layer-tap.js";
import type { Pointer } from "./native-array.js";
import { passOver } from "./whole-pass.js";

/** Notes when layers are done. llama.cpp computes a graph up to what is asked for, so the time between two of them is a layer's. */
class LayerClock extends GraphTap {
  private last = 0;
  private next = 0;

  constructor(private readonly milliseconds: Float64Array) {
    super();
  }

  /** Adds a batch's times. @throws Error when the layers did not come one after another. */
  time(evaluate: () => unknown): void {
    this.next = 0;
    const expected = this.milliseconds.length;
    this.during(evaluate, () =>
      this.next === expected ? undefined : `${this.next} layers were seen, ${expected} expected`,
    );
  }

  wants(_tensor: Pointer, start: bigint): boolean {
    return isLayerOutput(start) || isEmbedding(start);
  }

  computed(tensor: Pointer, start: bigint): void {
    const now = performance.now();
    if (isLayerOutput(start)) {
      const layer = layerOf(tensor);
      if (layer !== this.next) this.fail(`layer ${layer} came where layer ${this.next} was expected`);
      this.milliseconds[layer] = at(this.milliseconds, layer) + now - this.last;
      this.next = layer + 1;
    }
    this.last = performance.now();
  }
}

/**
 * How long each layer takes, in one pass over the prompts.
 * @throws Error where llama.cpp's graph is not as expected.
 */
export function readLayerTimes(model: DirectModel, request: PassRequest): LayerTimes[] {
  const current = new Float64Array(model.layerCount);
  const clock = new LayerClock(current);
  const times = new Map<string, LayerTimes>();
  passOver(model, request, clock, (_rows, evaluate, { id, tokens }) => {
    current.fill(0);
    clock.time(evaluate);
    const known = times.get(id) ?? { id, tokens: tokens.length, milliseconds: new Float64Array(model.layerCount) };
    current.forEach((time, layer) => (known.milliseconds[layer] = at(known.milliseconds, layer) + time));
    times.set(id, known);
  });
  return [...times.values()];
}
