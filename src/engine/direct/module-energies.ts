import type { ModuleEnergy, PassRequest } from "../layer-passes.js";
import type { DirectModel } from "./direct-model.js";
import { ModuleTap, type ProductObserver, type TensorRows } from "./module-tap.js";
import { passOver } from "./whole-pass.js";

/** Sums over the tokens seen so far; `updates` counts those that an adapter changed. */
interface Sums {
  tokens: number;
  input: number;
  output: number;
  update: number;
  updates: number;
}

/** Adds up the squares of what goes through the modules. */
class EnergyCount implements ProductObserver {
  readonly sums = new Map<string, Sums>();

  product(name: string, read: (which: "input" | "output") => TensorRows): void {
    const sums = this.of(name);
    sums.input += squares(read("input"));
    const output = read("output");
    sums.output += squares(output);
    sums.tokens += output.tokens;
  }

  /** Of all experts that a token goes through. */
  expertProduct(name: string, read: (which: "input" | "output") => TensorRows): void {
    this.product(name, read);
  }

  update(name: string, read: () => TensorRows): void {
    const sums = this.of(name);
    const rows = read();
    sums.update += squares(rows);
    sums.updates += rows.tokens;
    // The norm of a sum is not the sum of norms.
    if (sums.updates > sums.tokens) throw new Error(`two adapters change ${name}`);
  }

  private of(name: string): Sums {
    let sums = this.sums.get(name);
    if (!sums) this.sums.set(name, (sums = { tokens: 0, input: 0, output: 0, update: 0, updates: 0 }));
    return sums;
  }
}

/**
 * What goes through the linear modules of all layers, in one pass over the prompts.
 * @throws Error where llama.cpp's graph is not as expected.
 */
export function readModuleEnergies(model: DirectModel, request: PassRequest): ModuleEnergy[] {
  const count = new EnergyCount();
  const tap = new ModuleTap(model.library, count);
  try {
    passOver(model, request, tap, (rows, evaluate) => {
      tap.watch(rows, evaluate);
    });
  } finally {
    tap.close();
  }
  return [...count.sums].map(([name, { tokens, input, output, update }]) => ({ name, tokens, input, output, update }));
}

function squares({ values }: TensorRows): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
