import { at } from "../../assert.js";
import type { InputMoment, MomentRequest } from "../layer-passes.js";
import type { DirectModel } from "./direct-model.js";
import { ModuleTap, type ProductObserver, type TensorRows } from "./module-tap.js";
import type { Pointer } from "./native-array.js";
import { passOver } from "./whole-pass.js";

/** Longest input whose second moment is computed: its matrix takes 512 MB. */
const LONGEST = 8192;

interface Moment {
  readonly modules: string[];
  readonly length: number;
  tokens: number;
  /** Sum, [length, length]; the lower triangle. */
  readonly values: Float64Array;
}

/** Adds up x x' of one layer's modules; those that share an input are one. */
class MomentCount implements ProductObserver {
  readonly moments: Moment[] = [];
  /** By the input's tensor, within the batch. */
  private seen = new Map<Pointer, Moment>();

  constructor(private readonly prefix: string) {}

  nextBatch(): void {
    this.seen = new Map();
  }

  product(name: string, read: (which: "input" | "output") => TensorRows): void {
    if (!name.startsWith(this.prefix)) return;
    const rows = read("input");
    const shared = this.seen.get(rows.tensor);
    if (shared) {
      if (!shared.modules.includes(name)) shared.modules.push(name);
      return;
    }
    const moment = this.moments.find(({ modules }) => modules.includes(name)) ?? this.begin(name, rows.length);
    this.seen.set(rows.tensor, moment);
    moment.tokens += rows.count;
    addOuterProducts(moment.values, rows);
  }

  private begin(name: string, length: number): Moment {
    if (length > LONGEST) throw new Error(`the input of ${name} has ${length} values, at most ${LONGEST} are taken`);
    const moment = { modules: [name], length, tokens: 0, values: new Float64Array(length * length) };
    this.moments.push(moment);
    return moment;
  }
}

/**
 * E[x x'] of the inputs of one layer's modules, in one pass over the prompts.
 * @throws Error where llama.cpp's graph is not as expected, or an input is too long.
 */
export function readInputMoments(model: DirectModel, request: MomentRequest): InputMoment[] {
  const count = new MomentCount(`blk.${request.layer}.`);
  const tap = new ModuleTap(model.library, count);
  try {
    passOver(model, request, tap, (rows, evaluate) => {
      count.nextBatch();
      tap.watch(rows, evaluate);
    });
  } finally {
    tap.close();
  }
  return count.moments.map(({ modules, length, tokens, values }) => {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j <= i; j++)
        values[i * length + j] = values[j * length + i] = at(values, i * length + j) / tokens;
    }
    return { modules, length, tokens, values };
  });
}

/** Adds X'X to the lower triangle. Columns are laid out one behind the other first, so that each sum runs over neighbours. */
function addOuterProducts(sums: Float64Array, { count, length, values }: TensorRows): void {
  const columns = new Float64Array(length * count);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < length; i++) columns[i * count + row] = at(values, row * length + i);
  }
  for (let i = 0; i < length; i++) {
    const own = columns.subarray(i * count, (i + 1) * count);
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let row = 0; row < count; row++) sum += at(own, row) * at(columns, j * count + row);
      sums[i * length + j] = at(sums, i * length + j) + sum;
    }
  }
}
