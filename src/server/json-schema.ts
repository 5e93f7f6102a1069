import { jsonGrammar, type GrammarSchema } from "../engine/grammar/json-grammar.js";
import { GrammarError } from "../engine/grammar/rules.js";
import { ApiError } from "./api-error.js";

/**
 * Largest schema: levels, schemas within it, `minLength` and the like, values of all its enums, and characters of its names and values.
 * The last two are those of OpenAI's structured outputs.
 */
const LIMITS = { levels: 24, schemas: 500, repetitions: 1000, "enum values": 1000, characters: 120_000 } as const;

const BASIC_TYPES = ["string", "number", "integer", "boolean", "null"];
/** Keywords that describe, but do not constrain. */
const DESCRIPTIVE = ["title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated"];
/** Where a schema keeps the schemas that it refers to. */
const DEFINITIONS = ["$defs", "definitions"];
const KEYWORDS = {
  string: ["minLength", "maxLength", "format"],
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
} satisfies Readonly<Record<string, readonly string[]>>;
const FORMATS = ["date-time", "date", "time"];

type Schema = Readonly<Record<string, unknown>>;

/** Any JSON object, for `response_format: {"type": "json_object"}`. */
export const anyObject = { type: "object", additionalProperties: true };

/**
 * A client's JSON schema in the subset that grammars are made of, with the same meaning, except that every property is required.
 * @param param where the schema stands in the request.
 * @throws ApiError 400 naming the first keyword that could not be kept (an ignored one would be a broken promise), or the limit that
 * the schema is beyond.
 */
export function grammarSchema(schema: unknown, param: string): GrammarSchema {
  const root = asSchema(schema, param);
  const definitions = Object.entries(asSchema(root["$defs"] ?? root["definitions"] ?? {}, `${param}.$defs`));
  const shared = { used: new Usage(), definitions: new Set(definitions.map(([name]) => name)) };
  const entries = definitions.map(([name, definition]) => {
    const at = `${param}.$defs.${name}`;
    shared.used.add("characters", name.length, at);
    return [name, translate(asSchema(definition, at), { at, depth: 1, ...shared })] as const;
  });
  const translated = translate(root, { at: param, depth: 0, ...shared });
  const whole = entries.length === 0 ? translated : { ...translated, $defs: Object.fromEntries(entries) };
  try {
    jsonGrammar(whole);
  } catch (error) {
    if (error instanceof GrammarError) throw refused(param, error.message);
    throw error;
  }
  return whole;
}

type Limit = keyof typeof LIMITS;

/** How much of the limits a schema has used. */
class Usage {
  private readonly used = { schemas: 0, "enum values": 0, characters: 0 };

  /** @throws ApiError 400 with the limit's name and value. */
  add(limit: keyof Usage["used"], count: number, at: string): void {
    this.used[limit] += count;
    if (this.used[limit] > LIMITS[limit]) throw beyond(limit, at);
  }
}

interface Place {
  readonly at: string;
  readonly depth: number;
  readonly used: Usage;
  /** Names that may be referred to. */
  readonly definitions: ReadonlySet<string>;
}

function translate(schema: Schema, place: Place): GrammarSchema {
  const { at, depth, used } = place;
  used.add("schemas", 1, at);
  if (depth > LIMITS.levels) throw beyond("levels", at);
  if (typeof schema["$ref"] === "string") return reference(schema, schema["$ref"], place);
  if ("const" in schema) return literal(schema, "const", [schema["const"]], place);
  if (Array.isArray(schema["enum"])) return literal(schema, "enum", schema["enum"], place);
  const alternatives = schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(alternatives)) {
    allow(schema, ["oneOf", "anyOf"], at);
    if (alternatives.length === 0) throw refused(at, "there are no alternatives");
    return {
      oneOf: alternatives.map((alternative, i) =>
        translate(asSchema(alternative, `${at}[${i}]`), inner(place, `[${i}]`)),
      ),
    };
  }
  const type = schema["type"] ?? ("properties" in schema ? "object" : undefined);
  if (Array.isArray(type)) {
    if (type.length === 0) throw refused(at, "the schema needs a known `type`");
    return { oneOf: type.map((name) => translate(only(schema, name), place)) };
  }
  if (type === "object") return objectSchema(schema, place);
  if (type === "array") return arraySchema(schema, place);
  if (typeof type !== "string" || !BASIC_TYPES.includes(type)) throw refused(at, "the schema needs a known `type`");
  allow(schema, type === "string" ? ["type", ...KEYWORDS.string] : ["type"], at);
  const format = schema["format"];
  if (format !== undefined && !(typeof format === "string" && FORMATS.includes(format)))
    throw refused(at, `format ${JSON.stringify(format)}`);
  return { type, ...(format === undefined ? bounds(schema, ["minLength", "maxLength"], at) : { format }) };
}

function objectSchema(schema: Schema, place: Place): GrammarSchema {
  const { at, used } = place;
  allow(schema, ["type", ...KEYWORDS.object], at);
  const properties = Object.entries(asSchema(schema["properties"] ?? {}, `${at}.properties`)).map(
    ([name, property]) => {
      used.add("characters", name.length, at);
      return [
        name,
        translate(asSchema(property, `${at}.properties.${name}`), inner(place, `.properties.${name}`)),
      ] as const;
    },
  );
  const more = schema["additionalProperties"];
  const others =
    more === undefined || typeof more === "boolean"
      ? (more ?? false)
      : translate(asSchema(more, `${at}.additionalProperties`), inner(place, ".additionalProperties"));
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    additionalProperties: others,
    ...bounds(schema, ["minProperties", "maxProperties"], at),
  };
}

function arraySchema(schema: Schema, place: Place): GrammarSchema {
  const { at } = place;
  allow(schema, ["type", ...KEYWORDS.array], at);
  const prefix = schema["prefixItems"];
  return {
    type: "array",
    ...(schema["items"] === undefined
      ? {}
      : { items: translate(asSchema(schema["items"], `${at}.items`), inner(place, ".items")) }),
    ...(Array.isArray(prefix)
      ? { prefixItems: prefix.map((item, i) => translate(asSchema(item, `${at}.prefixItems`), inner(place, `[${i}]`))) }
      : {}),
    ...bounds(schema, ["minItems", "maxItems"], at),
  };
}

function reference(schema: Schema, ref: string, { at, definitions }: Place): GrammarSchema {
  allow(schema, ["$ref"], at);
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1];
  if (name === undefined || !definitions.has(name)) {
    throw refused(at, `$ref ${JSON.stringify(ref)} is not the "#/$defs/NAME" of a definition at the top`);
  }
  return { $ref: `#/$defs/${name}` };
}

function literal(schema: Schema, keyword: string, values: readonly unknown[], { at, used }: Place): GrammarSchema {
  allow(schema, [keyword, "type"], at);
  used.add("enum values", values.length, at);
  const plain = values.every((value) => value === null || ["string", "number", "boolean"].includes(typeof value));
  if (!plain || values.length === 0) throw refused(at, `${keyword} takes strings, numbers, booleans and null`);
  for (const value of values) used.add("characters", String(value).length, at);
  return { enum: values };
}

/** The schema with only those of its keywords that concern this one of its types. */
function only(schema: Schema, type: unknown): Schema {
  const others = Object.entries(KEYWORDS).flatMap(([name, keywords]) => (name === type ? [] : keywords));
  return { ...Object.fromEntries(Object.entries(schema).filter(([keyword]) => !others.includes(keyword))), type };
}

function bounds(schema: Schema, names: readonly string[], at: string): GrammarSchema {
  const known = names.filter((name) => schema[name] !== undefined);
  for (const name of known) {
    const value = schema[name];
    if (!Number.isInteger(value) || Number(value) < 0) throw refused(at, `${name} must be a whole number from 0 on`);
    if (Number(value) > LIMITS.repetitions)
      throw refused(at, `${name} is beyond the limit of ${LIMITS.repetitions} repetitions`);
  }
  return Object.fromEntries(known.map((name) => [name, schema[name]]));
}

function allow(schema: Schema, keywords: readonly string[], at: string): void {
  const unknown = Object.keys(schema).find((key) => ![...keywords, ...DESCRIPTIVE, ...DEFINITIONS].includes(key));
  if (unknown !== undefined) throw refused(at, `the keyword ${JSON.stringify(unknown)} cannot be kept`);
}

function inner(place: Place, below: string): Place {
  return { ...place, at: `${place.at}${below}`, depth: place.depth + 1 };
}

function asSchema(value: unknown, at: string): Schema {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Schema;
  throw refused(at, "a JSON schema is an object");
}

function beyond(limit: Limit, at: string): ApiError {
  return refused(at, `it is beyond the limit of ${LIMITS[limit]} ${limit}`);
}

function refused(at: string, why: string): ApiError {
  const message = `This JSON schema is not supported: ${why}.`;
  return new ApiError({ status: 400, message, param: at, code: "unsupported_schema" });
}
