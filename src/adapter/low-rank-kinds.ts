import { AdapterError } from "../errors.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { computedFactor, filledMatrix, tensorValues, type Factor } from "./factor.js";
import { modulePathOf } from "./peft-names.js";

/** An update in LoRA's form: A [rank, in], B [out, rank], scale 1. */
export interface LowRankUpdate {
  readonly a: Factor;
  readonly b: Factor;
  readonly rank: number;
  /** Whether A has as many columns as the widest module of the model: the base says which of them this one has. */
  readonly isWide?: boolean;
}

/** Tensors of one module by the names that the kind has for them, and what the configuration says of it. */
interface Parts {
  readonly modulePath: string;
  readonly parts: ReadonlyMap<string, SafetensorsTensor>;
  /** Tensors that all modules share. */
  readonly shared: ReadonlyMap<string, SafetensorsTensor>;
  /** alpha, and rank as configured. */
  readonly alpha: number;
  readonly rank: number;
  /** AdaLoRA: how many ranks training began with, of which some were dropped. */
  readonly initialRank: number | undefined;
}

/** A kind of adapter whose update has low rank, with what makes a LoRA of it. */
interface LowRankKind {
  /** As its paper writes it. */
  readonly name: string;
  /** Names of tensors of a module. */
  readonly parts: readonly string[];
  readonly shared?: readonly string[];
  readonly update: (parts: Parts) => LowRankUpdate;
}

/** A `peft_type`, upper case. */
export type LowRankKindName = "ADALORA" | "VERA" | "LOHA" | "LOKR";

const kinds: Readonly<Record<LowRankKindName, LowRankKind>> = {
  ADALORA: { name: "AdaLoRA", parts: ["lora_A", "lora_B", "lora_E", "ranknum"], update: adaLora },
  VERA: { name: "VeRA", parts: ["vera_lambda_b", "vera_lambda_d"], shared: ["vera_A", "vera_B"], update: vera },
  LOHA: {
    name: "LoHa",
    parts: ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"],
    update: loHa,
  },
  LOKR: {
    name: "LoKr",
    parts: ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"],
    update: loKr,
  },
};

/** Whether adapters of this `peft_type` (upper case) are read as LoRA. */
export function isLowRankKind(kind: string): kind is LowRankKindName {
  return Object.hasOwn(kinds, kind);
}

/** What a kind is called. */
export function kindName(kind: string): string {
  return isLowRankKind(kind) ? kinds[kind].name : kind;
}

/** The tensors of a file, sorted into modules, with those that are not the kind's. */
export interface LowRankParts {
  readonly modules: ReadonlyMap<string, ReadonlyMap<string, SafetensorsTensor>>;
  readonly shared: ReadonlyMap<string, SafetensorsTensor>;
  readonly unknown: readonly string[];
}

/** Sorts the tensors of an adapter of one of the kinds by the modules that they belong to. */
export function lowRankParts(kind: LowRankKindName, tensors: readonly SafetensorsTensor[]): LowRankParts {
  const { parts, shared = [] } = kinds[kind];
  const modules = new Map<string, Map<string, SafetensorsTensor>>();
  const found = new Map<string, SafetensorsTensor>();
  const unknown: string[] = [];
  const ofModule = new RegExp(`^(.+)\\.(${parts.join("|")})(?:\\.[^.]+)?$`);
  const ofAll = new RegExp(`(?:^|\\.)(${shared.length === 0 ? "(?!)" : shared.join("|")})(?:\\.[^.]+)?$`);
  for (const tensor of tensors) {
    const [, path, part] = ofModule.exec(tensor.name) ?? [];
    const name = ofAll.exec(tensor.name)?.[1];
    if (path !== undefined && part !== undefined) {
      const modulePath = modulePathOf(path);
      modules.set(modulePath, (modules.get(modulePath) ?? new Map<string, SafetensorsTensor>()).set(part, tensor));
    } else if (name !== undefined) found.set(name, tensor);
    else unknown.push(tensor.name);
  }
  return { modules, shared: found, unknown };
}

/**
 * The update of one module as a LoRA.
 * @throws AdapterError where tensors are missing, or the update is not of low rank.
 */
export function lowRankUpdate(kind: LowRankKindName, parts: Parts): LowRankUpdate {
  return kinds[kind].update(parts);
}

/** B (E A) alpha / (r + 1e-5), where r is the rank before some were dropped. Source: peft/tuners/adalora/layer.py, SVDLinear. */
function adaLora(given: Parts): LowRankUpdate {
  const [a, b, e] = [part(given, "lora_A"), part(given, "lora_B"), part(given, "lora_E")];
  const [rank = 0, inputs = 0] = a.shape;
  const [outputs = 0] = b.shape;
  const initial = given.initialRank ?? rank;
  const scale = (given.alpha > 0 ? given.alpha : initial) / (initial + 1e-5);
  return {
    rank,
    a: computedFactor(a, [rank, inputs], async () => scaleRows(await tensorValues(a), await tensorValues(e))),
    b: computedFactor(b, [outputs, rank], async () => (await tensorValues(b)).map((value) => value * scale)),
  };
}

/** diag(b) B diag(d) A, of A and B the first columns and rows that the module needs. Source: peft/tuners/vera/layer.py. */
function vera(given: Parts): LowRankUpdate {
  const [lambdaB, lambdaD] = [part(given, "vera_lambda_b"), part(given, "vera_lambda_d")];
  const [a, b] = ["vera_A", "vera_B"].map((name) => given.shared.get(name));
  if (!a || !b) {
    throw new AdapterError(lambdaB.path, {
      what: `${lambdaB.path} lacks the random projections vera_A and vera_B, because it was saved with save_projection=False`,
      fix: "Load it with PEFT and save it again with save_projection=True.",
    });
  }
  const [outputs = 0] = lambdaB.shape;
  const [rank = 0, inputs = 0] = a.shape;
  return {
    rank,
    isWide: true,
    a: computedFactor(a, [rank, inputs], async () => scaleRows(await tensorValues(a), await tensorValues(lambdaD))),
    b: computedFactor(b, [outputs, rank], async () => {
      return scaleRows((await tensorValues(b)).subarray(0, outputs * rank), await tensorValues(lambdaB));
    }),
  };
}

/**
 * (W1a W1b) * (W2a W2b) elementwise: the sum over pairs (i, j) of (W1a[:, i] * W2a[:, j]) (W1b[i] * W2b[j]), so of rank r^2.
 * Source: peft/tuners/loha/layer.py; LyCORIS.
 */
function loHa(given: Parts): LowRankUpdate {
  if (given.parts.has("hada_t1")) throw notAMatrix(given, "hada_t1");
  const [w1a, w1b] = [part(given, "hada_w1_a"), part(given, "hada_w1_b")];
  const [w2a, w2b] = [part(given, "hada_w2_a"), part(given, "hada_w2_b")];
  const [outputs = 0, r = 0] = w1a.shape;
  const [, inputs = 0] = w1b.shape;
  const scale = given.alpha / given.rank;
  return {
    rank: r * r,
    a: computedFactor(w1b, [r * r, inputs], async () => {
      const [one, other] = [await tensorValues(w1b), await tensorValues(w2b)];
      return filledMatrix(r * r, inputs, (row, column) => {
        return value(one, Math.floor(row / r) * inputs + column) * value(other, (row % r) * inputs + column);
      });
    }),
    b: computedFactor(w1a, [outputs, r * r], async () => {
      const [one, other] = [await tensorValues(w1a), await tensorValues(w2a)];
      return filledMatrix(outputs, r * r, (row, column) => {
        return scale * value(one, row * r + Math.floor(column / r)) * value(other, row * r + (column % r));
      });
    }),
  };
}

/** A matrix as the product of two: of a whole one the smaller side's identity is one of them. */
interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
  readonly left: () => Promise<Float32Array>;
  readonly right: () => Promise<Float32Array>;
}

/**
 * The Kronecker product W1 x W2, which is (L1 x L2) (R1 x R2) where W1 = L1 R1 and W2 = L2 R2: of rank r1 r2.
 * Source: peft/tuners/lokr/layer.py; LyCORIS.
 */
function loKr(given: Parts): LowRankUpdate {
  if (given.parts.has("lokr_t2")) throw notAMatrix(given, "lokr_t2");
  const [one, other] = [product(given, "lokr_w1"), product(given, "lokr_w2")];
  const rank = one.rank * other.rank;
  const [outputs, inputs] = [one.rows * other.rows, one.columns * other.columns];
  const like = [...given.parts.values()].sort((a, b) => a.offset - b.offset)[0];
  if (!like) throw new RangeError("a module without tensors");
  const scale = given.alpha / given.rank;
  return {
    rank,
    a: computedFactor(like, [rank, inputs], async () => {
      const [first, second] = [await one.right(), await other.right()];
      return filledMatrix(rank, inputs, (row, column) => {
        return (
          value(first, Math.floor(row / other.rank) * one.columns + Math.floor(column / other.columns)) *
          value(second, (row % other.rank) * other.columns + (column % other.columns))
        );
      });
    }),
    b: computedFactor(like, [outputs, rank], async () => {
      const [first, second] = [await one.left(), await other.left()];
      return filledMatrix(outputs, rank, (row, column) => {
        return (
          scale *
          value(first, Math.floor(row / other.rows) * one.rank + Math.floor(column / other.rank)) *
          value(second, (row % other.rows) * other.rank + (column % other.rank))
        );
      });
    }),
  };
}

function product(given: Parts, name: string): Product {
  const whole = given.parts.get(name);
  if (whole) {
    const [rows = 0, columns = 0] = whole.shape;
    if (whole.shape.length !== 2) throw notAMatrix(given, name);
    const rank = Math.min(rows, columns);
    const identity = (): Promise<Float32Array> =>
      Promise.resolve(filledMatrix(rank, rank, (row, column) => (row === column ? 1 : 0)));
    const itself = (): Promise<Float32Array> => tensorValues(whole);
    return rows <= columns
      ? { rows, columns, rank, left: identity, right: itself }
      : { rows, columns, rank, left: itself, right: identity };
  }
  const [left, right] = [part(given, `${name}_a`), part(given, `${name}_b`)];
  const [rows = 0, rank = 0] = left.shape;
  const [, columns = 0] = right.shape;
  return { rows, columns, rank, left: () => tensorValues(left), right: () => tensorValues(right) };
}

function part({ modulePath, parts }: Parts, name: string): SafetensorsTensor {
  const found = parts.get(name);
  if (found) return found;
  const path = [...parts.values()][0]?.path ?? "";
  throw new AdapterError(path, {
    what: `${path}: ${modulePath} has no ${name}`,
    fix: "The file is incomplete: export the adapter again.",
  });
}

function notAMatrix({ modulePath, parts }: Parts, name: string): AdapterError {
  const path = parts.get(name)?.path ?? "";
  return new AdapterError(path, {
    what: `${path}: ${modulePath} has ${name}, the update of a convolution, which language models do not have`,
    fix: "Give an adapter of a language model.",
  });
}

/** Row i of a matrix times factor i. */
function scaleRows(values: Float32Array, factors: Float32Array): Float32Array {
  const columns = values.length / factors.length;
  return values.map((number, i) => number * value(factors, Math.floor(i / columns)));
}

function value(values: Float32Array, at: number): number {
  return values[at] ?? 0;
}
