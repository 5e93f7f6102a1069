import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ApiError } from "../../src/server/api-error.js";
import { grammarSchema } from "../../src/server/json-schema.js";

const translated = (schema: unknown): object => grammarSchema(schema, "schema");

describe("a client's JSON schema as the engine's grammar takes it", () => {
  it("keeps objects, lists, texts, numbers, choices and references", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "Person",
      type: "object",
      required: ["name"],
      additionalProperties: false,
      properties: {
        name: { type: "string", minLength: 1, maxLength: 9, description: "a name" },
        age: { type: ["integer", "null"] },
        kind: { enum: ["a", 1, null] },
        always: { const: true },
        friends: { type: "array", items: { $ref: "#/$defs/friend" }, maxItems: 3 },
        born: { type: "string", format: "date" },
        more: { anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "number" } }] },
      },
      $defs: { friend: { type: "object", properties: { name: { type: "string" } } } },
    };
    expect(translated(schema)).toEqual({
      type: "object",
      additionalProperties: false,
      properties: {
        name: { type: "string", minLength: 1, maxLength: 9 },
        age: { oneOf: [{ type: "integer" }, { type: "null" }] },
        kind: { enum: ["a", 1, null] },
        always: { enum: [true] },
        friends: { type: "array", items: { $ref: "#/$defs/friend" }, maxItems: 3 },
        born: { type: "string", format: "date" },
        more: {
          oneOf: [{ type: "string" }, { type: "object", properties: {}, additionalProperties: { type: "number" } }],
        },
      },
      $defs: { friend: { type: "object", properties: { name: { type: "string" } }, additionalProperties: false } },
    });
  });

  it("takes what zod writes, as the official clients send it", () => {
    const answer = z.object({
      steps: z.array(z.object({ text: z.string() })),
      result: z.union([z.number(), z.null()]),
    });
    expect(translated(z.toJSONSchema(answer))).toMatchObject({
      properties: { steps: { items: { properties: { text: { type: "string" } } } } },
    });
  });

  it.each([
    ["a pattern", { type: "string", pattern: "a" }, "schema"],
    [
      "a bound of numbers",
      { type: "object", properties: { n: { type: "integer", minimum: 3 } } },
      "schema.properties.n",
    ],
    ["no type", { description: "anything" }, "schema"],
    ["an unknown format", { type: "string", format: "email" }, "schema"],
    ["a reference to nothing", { $ref: "#/$defs/x" }, "schema"],
    ["a reference elsewhere", { $ref: "http://example.com/schema" }, "schema"],
    ["a huge repetition", { type: "string", maxLength: 1e6 }, "schema"],
    ["a list", [], "schema"],
    ["objects as choices", { enum: [{}] }, "schema"],
    ["a schema of another kind", { allOf: [{ type: "string" }] }, "schema"],
  ])("refuses what it cannot keep, rather than to leave it out: %s", (_name, schema, param) => {
    try {
      translated(schema);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      expect(error.status).toBe(400);
      expect(error.body.error).toMatchObject({ param, code: "unsupported_schema" });
    }
  });

  it("refuses a schema without end", () => {
    let deep: object = { type: "string" };
    for (let i = 0; i < 100; i++) deep = { type: "array", items: deep };
    expect(() => translated(deep)).toThrow(ApiError);
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`p${i}`, { type: "string" }]));
    expect(() => translated({ type: "object", properties: wide })).toThrow(ApiError);
  });

  it.each<[string, object, string]>([
    ["levels", nested(30), "24 levels"],
    ["schemas", { anyOf: Array.from({ length: 501 }, () => ({ type: "null" })) }, "500 schemas"],
    ["repetitions", { type: "array", items: { type: "null" }, maxItems: 1e308 }, "1000 repetitions"],
    ["values", { enum: Array.from({ length: 100_000 }, (_, i) => `v${i}`) }, "1000 enum values"],
    ["values of all enums", { anyOf: [{ enum: range(600) }, { enum: range(600) }] }, "1000 enum values"],
    ["characters", { const: "x".repeat(120_001) }, "120000 characters"],
    [
      "characters of names",
      { type: "object", properties: { ["x".repeat(120_001)]: { type: "null" } } },
      "120000 characters",
    ],
    [
      "symbols",
      { anyOf: Array.from({ length: 200 }, (_, i) => ({ type: "string", minLength: i, maxLength: 1000 })) },
      "100000 symbols",
    ],
  ])("names the limit that a schema is beyond: %s", (_name, schema, limit) => {
    expect(messageOf(schema)).toContain(`beyond the limit of ${limit}.`);
  });

  it.each<[string, object, string]>([
    ["itself", { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "refers to itself"],
    [
      "itself or null",
      { $ref: "#/$defs/a", $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "null" }] } } },
      "refers to itself",
    ],
    [
      "endless",
      { $ref: "#/$defs/a", $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } } } } },
      "no finite value",
    ],
    ["without alternatives", { anyOf: [] }, "no alternatives"],
    ["without types", { type: [] }, "known `type`"],
  ])("refuses what no value satisfies: %s", (_name, schema, why) => {
    expect(messageOf(schema)).toContain(why);
  });
});

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function nested(levels: number): object {
  return levels === 0 ? { type: "string" } : { type: "array", items: nested(levels - 1) };
}

function messageOf(schema: object): string {
  try {
    translated(schema);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    expect(error.status).toBe(400);
    return error.message;
  }
  throw new Error("the schema was taken");
}
