import { FormatError } from "../errors.js";
import { printable } from "../files/printable.js";
import {
  GGUF_ARRAY,
  ggufScalarTypes,
  scalarBytes,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
} from "./gguf-value.js";

/** Items of all arrays of a header together. The largest vocabularies, with scores, types and merges, have some two million. */
const MAX_ARRAY_ITEMS = 1 << 24;

/** Thrown inside this room when the bytes at hand end before the header does. */
export class HeaderCutError extends Error {}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads GGUF header fields one after another from the first bytes of a file.
 * Every count is checked against the file's size before anything is allocated for it.
 */
export class GgufCursor {
  offset = 0;
  private arrayItems = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Buffer,
    private readonly path: string,
    private readonly fileSize: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  /** A count or size: refused above `most`, and when it does not fit in the bytes that the file still has, `unit` bytes for each. */
  count(what: string, unit: number, most = Infinity): number {
    const value = this.view.getBigUint64(this.advance(8), true);
    const remaining = this.fileSize - this.offset;
    if (value * BigInt(unit) > BigInt(remaining)) {
      throw new FormatError(this.path, {
        what: `${this.path}: ${what} cannot be right`,
        actual: String(value),
        expected: `at most ${Math.floor(remaining / unit)}, the file has only ${remaining} bytes left`,
        fix: "The file is damaged or an incomplete download: fetch it again.",
      });
    }
    if (Number(value) > most) {
      throw new FormatError(this.path, {
        what: `${this.path}: ${what} cannot be right`,
        actual: String(value),
        expected: `at most ${most}`,
        fix: "The file is damaged or made to exhaust the memory: fetch it again.",
      });
    }
    return Number(value);
  }

  uint64(): bigint {
    return this.view.getBigUint64(this.advance(8), true);
  }

  /** A name (key or tensor): must be valid UTF-8. */
  name(what: string): string {
    const bytes = this.stringBytes(what);
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new FormatError(this.path, {
        what: `${this.path}: ${what} is not valid UTF-8`,
        fix: "The file is damaged: fetch it again.",
        cause,
      });
    }
  }

  /** A metadata value. Invalid UTF-8 inside a string value becomes U+FFFD: vocabularies in the wild have it. */
  value(name: string): GgufValue {
    const key = printable(name);
    const typeId = this.uint32();
    if (typeId !== GGUF_ARRAY) {
      const type = this.scalarType(typeId, key);
      return { type, value: this.scalar(type, key) };
    }
    const itemType = this.scalarType(this.uint32(), key);
    const length = this.count(`length of the array ${key}`, scalarBytes[itemType], MAX_ARRAY_ITEMS - this.arrayItems);
    this.arrayItems += length;
    const value: GgufScalar[] = [];
    for (let i = 0; i < length; i++) value.push(this.scalar(itemType, key));
    return { type: "array", itemType, value };
  }

  private scalarType(id: number, key: string): GgufScalarType {
    const type = (ggufScalarTypes as Readonly<Record<number, GgufScalarType>>)[id];
    if (type) return type;
    throw new FormatError(this.path, {
      what: `${this.path}: metadata key ${key} has a value of an unknown type`,
      actual: id === GGUF_ARRAY ? "an array inside an array" : `type ${id}`,
      expected: "one of the types 0 to 12",
    });
  }

  private scalar(type: GgufScalarType, key: string): GgufScalar {
    if (type === "string") return lenientUtf8.decode(this.stringBytes(`the value of ${key}`));
    const at = this.advance(scalarBytes[type]);
    switch (type) {
      case "uint8":
        return this.view.getUint8(at);
      case "int8":
        return this.view.getInt8(at);
      case "uint16":
        return this.view.getUint16(at, true);
      case "int16":
        return this.view.getInt16(at, true);
      case "uint32":
        return this.view.getUint32(at, true);
      case "int32":
        return this.view.getInt32(at, true);
      case "float32":
        return this.view.getFloat32(at, true);
      case "bool":
        return this.view.getUint8(at) !== 0;
      case "uint64":
        return this.view.getBigUint64(at, true);
      case "int64":
        return this.view.getBigInt64(at, true);
      case "float64":
        return this.view.getFloat64(at, true);
    }
  }

  private stringBytes(what: string): Buffer {
    const length = this.count(`length of ${what}`, 1);
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  private advance(length: number): number {
    const start = this.offset;
    if (start + length > this.bytes.length) throw new HeaderCutError();
    this.offset += length;
    return start;
  }
}
