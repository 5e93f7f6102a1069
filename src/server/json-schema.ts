import { ApiError } from "./api-error.js";

/** A schema whose grammar would be larger is refused: grammars are built in the engine's process, for one request. */
const LIMITS = { depth: 24, schemas: 500, repetitions: 1000 } as const;

const BASIC_TYPES = ["string", "number", "integer", "boolean", "null"];
/** Keywords that describe, but do not constrain. */
const DESCRIPTIVE = ["title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated"];
/** Where a schema keeps the schemas that it refers to. */
const DEFINITIONS = ["$defs", "definitions"];
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  string: ["minLength", "maxLength", "format"],
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
};
const FORMATS = ["date-time", "date", "time"];

type Schema = Readonly<Record<string, unknown>>;

/** Any JSON object, for `response_format: {"type": "json_object"}`. */
export const anyObject = { type: "object", additionalProperties: true };

/**
 * A client's JSON schema in the subset that node-llama-cpp makes grammars of, with the same meaning, except that every property is
 * required. Source: node-llama-cpp's GbnfJsonSchema.
 * @param param where the schema stands in the request.
 * @throws ApiError 400 naming the first keyword that could not be kept: an ignored one would be a broken promise.
 */
export function grammarSchema(schema: unknown, param: string): object {
  const root = asSchema(schema, param);
  const definitions = Object.entries(asSchema(root["$defs"] ?? root["definitions"] ?? {}, `${param}.$defs`));
  const shared = { limits: { left: LIMITS.schemas }, definitions: new Set(definitions.map(([name]) => name)) };
  const translated = translate(root, { at: param, depth: 0, ...shared });
  if (definitions.length === 0) return translated;
  const entries = definitions.map(([name, one]) => {
    const at = `${param}.$defs.${name}`;
    return [name, translate(asSchema(one, at), { at, depth: 1, ...shared })] as const;
  });
  return { ...translated, $defs: Object.fromEntries(entries) };
}

interface Place {
  readonly at: string;
  readonly depth: number;
  readonly limits: { left: number };
  /** Names that may be referred to. */
  readonly definitions: ReadonlySet<string>;
}

function translate(schema: Schema, place: Place): object {
  const { at, depth, limits } = place;
  limits.left -= 1;
  if (depth > LIMITS.depth || limits.left < 0) throw refused(at, "the schema is too large or too deep");
  if (typeof schema["$ref"] === "string") return reference(schema, schema["$ref"], place);
  if ("const" in schema) return literal(schema, "const", [schema["const"]], at);
  if (Array.isArray(schema["enum"])) return literal(schema, "enum", schema["enum"], at);
  const alternatives = schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(alternatives)) {
    allow(schema, ["oneOf", "anyOf"], at);
    return { oneOf: alternatives.map((one, i) => translate(asSchema(one, `${at}[${i}]`), inner(place, `[${i}]`))) };
  }
  const type = schema["type"] ?? ("properties" in schema ? "object" : undefined);
  if (Array.isArray(type)) {
    return { oneOf: type.map((one) => translate(only(schema, one), place)) };
  }
  if (type === "object") return objectSchema(schema, place);
  if (type === "array") return arraySchema(schema, place);
  if (typeof type !== "string" || !BASIC_TYPES.includes(type)) throw refused(at, "the schema needs a known `type`");
  allow(schema, type === "string" ? ["type", ...(KEYWORDS["string"] ?? [])] : ["type"], at);
  const format = schema["format"];
  if (format !== undefined && !(typeof format === "string" && FORMATS.includes(format)))
    throw refused(at, `format ${JSON.stringify(format)}`);
  return { type, ...(format === undefined ? bounds(schema, ["minLength", "maxLength"], at) : { format }) };
}

function objectSchema(schema: Schema, place: Place): object {
  const { at } = place;
  allow(schema, ["type", ...(KEYWORDS["object"] ?? [])], at);
  const properties = Object.entries(asSchema(schema["properties"] ?? {}, `${at}.properties`)).map(([name, one]) => {
    return [name, translate(asSchema(one, `${at}.properties.${name}`), inner(place, `.properties.${name}`))] as const;
  });
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

function arraySchema(schema: Schema, place: Place): object {
  const { at } = place;
  allow(schema, ["type", ...(KEYWORDS["array"] ?? [])], at);
  const prefix = schema["prefixItems"];
  return {
    type: "array",
    ...(schema["items"] === undefined
      ? {}
      : { items: translate(asSchema(schema["items"], `${at}.items`), inner(place, ".items")) }),
    ...(Array.isArray(prefix)
      ? { prefixItems: prefix.map((one, i) => translate(asSchema(one, `${at}.prefixItems`), inner(place, `[${i}]`))) }
      : {}),
    ...bounds(schema, ["minItems", "maxItems"], at),
  };
}

function reference(schema: Schema, ref: string, { at, definitions }: Place): object {
  allow(schema, ["$ref"], at);
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1];
  if (name === undefined || !definitions.has(name)) {
    throw refused(at, `$ref ${JSON.stringify(ref)} is not the "#/$defs/NAME" of a definition at the top`);
  }
  return { $ref: `#/$defs/${name}` };
}

function literal(schema: Schema, keyword: string, values: readonly unknown[], at: string): object {
  allow(schema, [keyword, "type"], at);
  const plain = values.every((value) => value === null || ["string", "number", "boolean"].includes(typeof value));
  if (!plain || values.length === 0) throw refused(at, `${keyword} takes strings, numbers, booleans and null`);
  return { enum: values };
}

/** The schema with only those of its keywords that concern this one of its types. */
function only(schema: Schema, type: unknown): Schema {
  const others = Object.entries(KEYWORDS).flatMap(([name, keywords]) => (name === type ? [] : keywords));
  return { ...Object.fromEntries(Object.entries(schema).filter(([keyword]) => !others.includes(keyword))), type };
}

function bounds(schema: Schema, names: readonly string[], at: string): object {
  const known = names.filter((name) => schema[name] !== undefined);
  for (const name of known) {
    const value = schema[name];
    if (!Number.isInteger(value) || Number(value) < 0 || Number(value) > LIMITS.repetitions) {
      throw refused(at, `${name} must be a whole number up to ${LIMITS.repetitions}`);
    }
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

function refused(at: string, why: string): ApiError {
  const message = `This JSON schema is not supported: ${why}.`;
  return new ApiError({ status: 400, message, param: at, code: "unsupported_schema" });
}
