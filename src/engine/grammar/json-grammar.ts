import { defined } from "../../assert.js";
import { GrammarBuilder, GrammarError, type Grammar, type Sequence } from "./rules.js";

/**
 * A JSON schema in the subset that grammars are made of. Every property comes, in its order, whether required or not; `enum` holds
 * texts, numbers, booleans and null; `$ref` names one of the root's `$defs`.
 */
export interface GrammarSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly GrammarSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, GrammarSchema>>;
  readonly properties?: Readonly<Record<string, GrammarSchema>>;
  /** Of which kind properties beyond the named ones are; true for any, none by default. */
  readonly additionalProperties?: boolean | GrammarSchema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: GrammarSchema;
  readonly prefixItems?: readonly GrammarSchema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
}

/** Spaces or tabs of a line's indentation. */
const MOST_INDENT = 20;
/** Digits of a number's parts: beyond them a double has nothing to say. */
const DIGITS = { whole: 15, fraction: 16, exponent: 2 } as const;
/** What may follow a backslash in a JSON string, but for the u of four digits. */
const ESCAPED = ['"', "\\", "/", "b", "f", "n", "r", "t"] as const;
const REFERENCE = "#/$defs/";

/**
 * The grammar of the JSON texts that satisfy a schema.
 * @throws GrammarError when it becomes too large, no finite value satisfies the schema, or a definition is nothing but itself.
 */
export function jsonGrammar(schema: GrammarSchema): Grammar {
  return new JsonGrammar(schema.$defs ?? {}).build(schema);
}

class JsonGrammar {
  private readonly builder = new GrammarBuilder();
  private readonly defined = new Map<string, number>();
  private readonly shared = new Map<string, number>();

  constructor(private readonly definitions: Readonly<Record<string, GrammarSchema>>) {}

  build(schema: GrammarSchema): Grammar {
    assertNotCircular(this.definitions);
    return this.builder.build(this.value(schema));
  }

  private value(schema: GrammarSchema): number {
    if (schema.$ref !== undefined) return this.reference(schema.$ref.slice(REFERENCE.length));
    if (schema.enum)
      return this.builder.choice(...schema.enum.map((value) => this.builder.text(JSON.stringify(value))));
    if (schema.oneOf) return this.builder.choice(...schema.oneOf.map((one) => [this.value(one)]));
    switch (schema.type) {
      case "object":
        return this.object(schema);
      case "array":
        return this.array(schema);
      case "string":
        return this.string(schema);
      case "number":
      case "integer":
        return this.once(schema.type, () => this.number(schema.type === "number"));
      case "boolean":
        return this.builder.choice(this.builder.text("true"), this.builder.text("false"));
      case "null":
        return this.builder.choice(this.builder.text("null"));
      case undefined:
      default:
        throw new GrammarError(`there is no grammar for the type ${JSON.stringify(schema.type)}`);
    }
  }

  private reference(name: string): number {
    const known = this.defined.get(name);
    if (known !== undefined) return known;
    const symbol = this.builder.reserve();
    this.defined.set(name, symbol);
    this.builder.define(symbol, [[this.value(defined(this.definitions[name], "a definition that is referred to"))]]);
    return symbol;
  }

  private any(): number {
    return this.once("any", (symbol) => {
      const more = { additionalProperties: true };
      const types = ["string", "number", "boolean", "null"].map((type) => [this.value({ type })]);
      this.builder.define(symbol, [...types, [this.object(more)], [this.array({})]]);
    });
  }

  private object({ properties = {}, additionalProperties, minProperties = 0, maxProperties }: GrammarSchema): number {
    const member = (key: Sequence, value: number): Sequence => [...key, ...this.text(":"), this.gap(), value];
    const named = Object.entries(properties).map(([name, schema]) =>
      member(this.text(JSON.stringify(name)), this.value(schema)),
    );
    const others =
      additionalProperties === undefined || additionalProperties === false
        ? undefined
        : member(
            [this.value({ type: "string" })],
            additionalProperties === true ? this.any() : this.value(additionalProperties),
          );
    return this.list("{", "}", named, others, { least: minProperties, most: maxProperties });
  }

  private array({ items, prefixItems = [], minItems = 0, maxItems }: GrammarSchema): number {
    const first = prefixItems.map((schema) => [this.value(schema)]);
    const rest = items ? this.value(items) : this.any();
    return this.list("[", "]", first, [rest], { least: minItems, most: maxItems });
  }

  /** Items between brackets: those that always come, then others up to the limits, where there are any. */
  private list(
    open: string,
    close: string,
    always: readonly Sequence[],
    others: Sequence | undefined,
    { least, most }: { readonly least: number; readonly most: number | undefined },
  ): number {
    const { builder } = this;
    const comma = [...this.text(","), this.space()];
    const inside: number[] = always.flatMap((item, i) => (i === 0 ? [...item] : [...comma, ...item]));
    if (others) {
      const fewest = Math.max(0, least - always.length);
      const largest = most === undefined ? undefined : Math.max(fewest, most - always.length);
      if (always.length > 0) inside.push(...builder.repeat([...comma, ...others], fewest, largest));
      else if (largest !== 0) {
        const further = builder.repeat([...comma, ...others], Math.max(0, fewest - 1), largest && largest - 1);
        const all = [...others, ...further];
        if (fewest > 0) inside.push(...all);
        else inside.push(builder.optional(all));
      }
    }
    return builder.choice([...this.text(open), this.space(), ...inside, this.space(), ...this.text(close)]);
  }

  private string({ minLength = 0, maxLength, format }: GrammarSchema): number {
    const quote = this.text('"');
    if (format !== undefined) return this.builder.choice([...quote, ...this.formatted(format), ...quote]);
    const most = maxLength === undefined ? undefined : Math.max(minLength, maxLength);
    return this.once(`string ${minLength} ${most ?? ""}`, () => [
      [...quote, ...this.builder.repeat([this.character()], minLength, most), ...quote],
    ]);
  }

  /** One character of a JSON string: as itself in UTF-8, or escaped. Source: RFC 8259, section 7; RFC 3629, section 4. */
  private character(): number {
    return this.once("character", () => {
      const set = this.builder.bytes.bind(this.builder);
      const tail = set([0x80, 0xbf]);
      const hex = set([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
      const escape = this.text("\\");
      return [
        [set([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7e])],
        [set([0xc2, 0xdf]), tail],
        [set([0xe0, 0xe0]), set([0xa0, 0xbf]), tail],
        [set([0xe1, 0xec], [0xee, 0xef]), tail, tail],
        [set([0xed, 0xed]), set([0x80, 0x9f]), tail],
        [set([0xf0, 0xf0]), set([0x90, 0xbf]), tail, tail],
        [set([0xf1, 0xf3]), tail, tail, tail],
        [set([0xf4, 0xf4]), set([0x80, 0x8f]), tail, tail],
        [...escape, set(...ESCAPED.map((one) => byteRange(one, one)))],
        [...escape, ...this.text("u"), hex, hex, hex, hex],
      ];
    });
  }

  private number(fractional: boolean): Sequence[] {
    const { builder } = this;
    const digit = this.digit("0", "9");
    const sign = builder.optional(this.text("-"));
    const whole = builder.choice(this.text("0"), [this.digit("1", "9"), ...builder.repeat([digit], 0, DIGITS.whole)]);
    if (!fractional) return [[sign, whole]];
    const fraction = builder.optional([...this.text("."), ...builder.repeat([digit], 1, DIGITS.fraction)]);
    const marks = [builder.bytes(byteRange("e", "e"), byteRange("E", "E"))];
    const signs = builder.optional([builder.bytes(byteRange("+", "+"), byteRange("-", "-"))]);
    const exponent = builder.optional([...marks, signs, ...builder.repeat([digit], 1, DIGITS.exponent)]);
    return [[sign, whole, fraction, exponent]];
  }

  private formatted(format: string): Sequence {
    if (format === "date") return this.date();
    if (format === "time") return this.time();
    return [...this.date(), ...this.text("T"), ...this.time()];
  }

  private date(): Sequence {
    const digit = this.digit("0", "9");
    const month = this.builder.choice(
      [...this.text("0"), this.digit("1", "9")],
      [...this.text("1"), this.digit("0", "2")],
    );
    const day = this.builder.choice(
      [...this.text("0"), this.digit("1", "9")],
      [this.digit("1", "2"), digit],
      [...this.text("3"), this.digit("0", "1")],
    );
    return [digit, digit, digit, digit, ...this.text("-"), month, ...this.text("-"), day];
  }

  private time(): Sequence {
    const digit = this.digit("0", "9");
    const hour = this.builder.choice([this.digit("0", "1"), digit], [...this.text("2"), this.digit("0", "3")]);
    const sixty = [...this.text(":"), this.digit("0", "5"), digit];
    const thousandths = this.builder.optional([...this.text("."), digit, digit, digit]);
    const signs = this.builder.bytes(byteRange("+", "+"), byteRange("-", "-"));
    return [hour, ...sixty, ...sixty, thousandths, this.builder.choice(this.text("Z"), [signs, hour, ...sixty])];
  }

  /** Between two tokens: nothing, a space, or a line break with some indentation. Unbounded space would let an answer never end. */
  private space(): number {
    return this.once("space", () => {
      const indent = this.builder.bytes(byteRange(" ", " "), byteRange("\t", "\t"));
      return [[], this.text(" "), [...this.text("\n"), ...this.builder.repeat([indent], 0, MOST_INDENT)]];
    });
  }

  private gap(): number {
    return this.once("gap", () => [[], this.text(" ")]);
  }

  private digit(first: string, last: string): number {
    return this.builder.bytes(byteRange(first, last));
  }

  private text(text: string): Sequence {
    return this.builder.text(text);
  }

  /** A rule that is made once; what makes it may refer to it, and then defines it itself. */
  private once(name: string, make: (symbol: number) => Sequence[] | undefined): number {
    const known = this.shared.get(name);
    if (known !== undefined) return known;
    const symbol = this.builder.reserve();
    this.shared.set(name, symbol);
    const alternatives = make(symbol);
    if (alternatives) this.builder.define(symbol, alternatives);
    return symbol;
  }
}

function byteRange(first: string, last: string): [number, number] {
  return [first.charCodeAt(0), last.charCodeAt(0)];
}

/** @throws GrammarError for a definition that comes back to itself through references and alternatives alone: it says nothing. */
function assertNotCircular(definitions: Readonly<Record<string, GrammarSchema>>): void {
  const done = new Set<string>();
  const under = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name)) return;
    if (under.has(name))
      throw new GrammarError(`the definition ${JSON.stringify(name)} refers to itself with nothing in between`);
    under.add(name);
    const definition = definitions[name];
    if (definition) headsOf(definition).forEach(visit);
    under.delete(name);
    done.add(name);
  };
  Object.keys(definitions).forEach(visit);
}

/** Definitions that a schema may be as a whole. */
function headsOf(schema: GrammarSchema): string[] {
  if (schema.$ref !== undefined) return [schema.$ref.slice(REFERENCE.length)];
  return (schema.oneOf ?? []).flatMap(headsOf);
}
