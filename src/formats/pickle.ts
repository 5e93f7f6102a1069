import type { SafetensorsDtype } from "./safetensors-dtype.js";

/** A tensor as torch.save pickles it. Numbers are elements, not bytes. */
export interface PickledTensor {
  /** Name of the file in the archive that holds the data. */
  readonly storage: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Where the tensor starts in its storage. */
  readonly first: number;
}

const STORAGES: Readonly<Record<string, SafetensorsDtype>> = {
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  DoubleStorage: "F64",
  LongStorage: "I64",
  IntStorage: "I32",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** A name that the pickle wants to import. It is never looked up: only these few are understood. */
class Global {
  constructor(readonly name: string) {}
}

/** A storage that a tensor refers to. */
class Storage {
  constructor(
    readonly dtype: SafetensorsDtype,
    readonly key: string,
  ) {}
}

class Tensor {
  constructor(readonly tensor: PickledTensor) {}
}

const ORDERED_DICT = "collections OrderedDict";
const TENSOR = "torch._utils _rebuild_tensor_v2";
const PARAMETER = "torch._utils _rebuild_parameter";
/** Deeper or larger structures are no dictionary of an adapter's tensors. */
const MAX_STACK = 1 << 20;
const MARK = Symbol("mark");

/**
 * Reads a flat dictionary of tensors out of a pickle, protocol 2 to 5, without executing anything: of the format's opcodes those that such a
 * dictionary needs, and of the things it may import an ordered dictionary, a tensor, a parameter and storages of numbers. Everything
 * else is refused. Source: Lib/pickletools.py of CPython; torch/_utils.py.
 * @param refuse makes the error for what was found instead.
 */
export function readPickle(bytes: Buffer, refuse: (what: string) => Error): ReadonlyMap<string, PickledTensor> {
  const value = new PickleReader(bytes, refuse).read();
  if (!(value instanceof Map)) throw refuse("it is not a dictionary of tensors");
  const tensors = new Map<string, PickledTensor>();
  for (const [key, item] of value as Map<unknown, unknown>) {
    if (typeof key !== "string" || !(item instanceof Tensor))
      throw refuse("it holds something else than tensors by name");
    tensors.set(key, item.tensor);
  }
  return tensors;
}

class PickleReader {
  private at = 0;
  private readonly stack: unknown[] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly opcodes: Readonly<Record<number, () => unknown>>;

  constructor(
    private readonly bytes: Buffer,
    private readonly refuse: (what: string) => Error,
  ) {
    const push = (value: unknown): number => {
      if (this.stack.length >= MAX_STACK) throw refuse("its pickle is nested too deeply");
      return this.stack.push(value);
    };
    const text = (length: number): string => this.take(length).toString("utf8");
    this.opcodes = {
      0x80: () => this.take(1), // PROTO
      0x95: () => this.take(8), // FRAME
      0x7d: () => push(new Map()), // EMPTY_DICT
      0x5d: () => push([]), // EMPTY_LIST
      0x29: () => push([]), // EMPTY_TUPLE
      0x28: () => push(MARK),
      0x4e: () => push(null), // NONE
      0x88: () => push(true),
      0x89: () => push(false),
      0x4b: () => push(this.take(1).readUInt8()), // BININT1
      0x4d: () => push(this.take(2).readUInt16LE()), // BININT2
      0x4a: () => push(this.take(4).readInt32LE()), // BININT
      0x8a: () => push(this.long()), // LONG1
      0x58: () => push(text(this.take(4).readUInt32LE())), // BINUNICODE
      0x8c: () => push(text(this.take(1).readUInt8())), // SHORT_BINUNICODE
      0x63: () => push(new Global(`${this.line()} ${this.line()}`)), // GLOBAL
      0x93: () => {
        const [module, name] = [this.pop(), this.pop()].reverse(); // STACK_GLOBAL
        push(new Global(`${String(module)} ${String(name)}`));
      },
      0x71: () => this.memo.set(this.take(1).readUInt8(), this.stack.at(-1)), // BINPUT
      0x72: () => this.memo.set(this.take(4).readUInt32LE(), this.stack.at(-1)), // LONG_BINPUT
      0x94: () => this.memo.set(this.memo.size, this.stack.at(-1)), // MEMOIZE
      0x68: () => push(this.remembered(this.take(1).readUInt8())), // BINGET
      0x6a: () => push(this.remembered(this.take(4).readUInt32LE())), // LONG_BINGET
      0x85: () => push([this.pop()]), // TUPLE1
      0x86: () => push([this.pop(), this.pop()].reverse()), // TUPLE2
      0x87: () => push([this.pop(), this.pop(), this.pop()].reverse()), // TUPLE3
      0x74: () => push(this.popToMark()), // TUPLE
      0x51: () => push(this.storage(this.pop())), // BINPERSID
      0x52: () => {
        const [made, given] = [this.pop(), this.pop()].reverse(); // REDUCE
        push(this.reduced(made, given));
      },
      0x73: () => {
        this.setItems([this.pop(), this.pop()].reverse());
      }, // SETITEM
      0x75: () => {
        this.setItems(this.popToMark());
      }, // SETITEMS
      0x62: () => this.pop(), // BUILD: attributes of a dictionary, such as _metadata
      0x65: () => this.popToMark(), // APPENDS: only of hooks and versions, which are passed over
      0x61: () => this.pop(), // APPEND
    };
  }

  read(): unknown {
    for (;;) {
      const opcode = this.take(1).readUInt8();
      if (opcode === 0x2e) return this.pop(); // STOP
      const run = this.opcodes[opcode];
      if (!run) throw this.refuse(`it uses the pickle opcode 0x${opcode.toString(16)}`);
      run();
    }
  }

  private take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw this.refuse("its pickle ends early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) throw this.refuse("its pickle ends early");
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }

  private long(): number {
    const bytes = this.take(this.take(1).readUInt8());
    let value = 0n;
    for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i);
    return Number(BigInt.asIntN(8 * bytes.length, value));
  }

  private pop(): unknown {
    if (this.stack.length === 0) throw this.refuse("its pickle is damaged");
    return this.stack.pop();
  }

  private popToMark(): unknown[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw this.refuse("its pickle is damaged");
    const items = this.stack.splice(mark);
    return items.slice(1);
  }

  private remembered(key: number): unknown {
    if (!this.memo.has(key)) throw this.refuse("its pickle is damaged");
    return this.memo.get(key);
  }

  private setItems(items: readonly unknown[]): void {
    const dictionary = this.stack.at(-1);
    if (!(dictionary instanceof Map)) throw this.refuse("its pickle is damaged");
    for (let i = 0; i + 1 < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
  }

  /** ("storage", a type of storage, key, device, number of elements). */
  private storage(id: unknown): Storage {
    const [kind, type, key] = Array.isArray(id) ? (id as unknown[]) : [];
    const name = type instanceof Global ? /^torch (\w+)$/.exec(type.name)?.[1] : undefined;
    const dtype = name === undefined ? undefined : STORAGES[name];
    if (kind !== "storage" || dtype === undefined || typeof key !== "string" || !/^\w+$/.test(key))
      throw this.refuse(`it refers to ${type instanceof Global ? type.name : "something else than a storage"}`);
    return new Storage(dtype, key);
  }

  private reduced(made: unknown, given: unknown): unknown {
    const items = Array.isArray(given) ? (given as unknown[]) : [];
    const name = made instanceof Global ? made.name : "something that is not a name";
    if (name === ORDERED_DICT && items.length === 0) return new Map();
    if (name === PARAMETER && items[0] instanceof Tensor) return items[0];
    const [storage, first, shape, strides] = items;
    if (name === TENSOR && storage instanceof Storage && isCount(first) && areCounts(shape) && areCounts(strides))
      return new Tensor({ storage: storage.key, dtype: storage.dtype, first, shape, strides });
    throw this.refuse(`it calls ${name}`);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
