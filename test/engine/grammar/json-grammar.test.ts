import { describe, expect, it } from "vitest";
import { jsonGrammar, type GrammarSchema } from "../../../src/engine/grammar/json-grammar.js";
import { GrammarError } from "../../../src/engine/grammar/rules.js";
import { DEAD, GrammarBudget, GrammarStates } from "../../../src/engine/grammar/states.js";
import { TokenBytes } from "../../../src/engine/grammar/token-bytes.js";

/** `whole` where the schema takes a text, `begun` where it takes more of it, else undefined. */
function follow(schema: GrammarSchema, text: string | Uint8Array): "whole" | "begun" | undefined {
  const states = new GrammarStates(jsonGrammar(schema));
  const budget = new GrammarBudget();
  states.chargeTo(budget);
  let state = states.start;
  for (const byte of Buffer.from(text)) {
    state = states.after(state, byte);
    budget.nextToken();
  }
  if (state === DEAD) return undefined;
  return states.accepts(state) ? "whole" : "begun";
}

describe("the grammar of a JSON schema", () => {
  const nested: GrammarSchema = { $ref: "#/$defs/a", $defs: { a: { type: "array", items: { $ref: "#/$defs/a" } } } };
  it.each<[string, GrammarSchema, unknown[], string[]]>([
    ["texts", { type: "string" }, ["", "é€😀 \u007e", 'a"\\\n\u0001'], ['"', '"a', '"\n"', '"\\x"', "'a'", '"a" ']],
    ["lengths in characters", { type: "string", minLength: 1, maxLength: 2 }, ["é", "😀😀"], ['""', '"abc"']],
    ["numbers", { type: "number" }, [0, -1.5, 1e-7, 2.5e21, 123456789012345], ["01", "+1", ".5", "1.", "1e999", "NaN"]],
    ["whole numbers", { type: "integer" }, [0, -12], ["1.0", "1e-5", "-"]],
    ["truth values and null", { oneOf: [{ type: "boolean" }, { type: "null" }] }, [true, false, null], ["nul", "True"]],
    [
      "choices",
      { enum: ["a", "ab", 1, 1.5, null, "\u0000\b\u2028"] },
      ["a", "ab", 1, 1.5, null, "\u0000\b\u2028"],
      ['"b"', "1.", '"abc"'],
    ],
    [
      "dates",
      { type: "string", format: "date-time" },
      ["2024-02-29T23:59:59.123Z", "1999-12-31T00:00:00+14:00"],
      ['"2024-13-01T00:00:00Z"', '"2024-01-01"'],
    ],
    [
      "lists",
      { type: "array", items: { type: "integer" }, minItems: 1, maxItems: 3 },
      [[1], [1, 2, 3]],
      ["[]", "[1,2,3,4]", "[1,]", "[,1]", '["a"]'],
    ],
    [
      "lists that begin so",
      { type: "array", prefixItems: [{ type: "null" }], items: { type: "boolean" }, maxItems: 2 },
      [[null], [null, true]],
      ["[]", "[true]", "[null,true,true]"],
    ],
    ["lists of nothing", { type: "array", items: { type: "null" }, maxItems: 0 }, [[]], ["[null]"]],
    ["lists of anything", { type: "array" }, [[], [[{ a: [1, "x", { b: null }] }], true]], ["[}", '[{"a"}]']],
    [
      "objects",
      { type: "object", properties: { a: { type: "null" }, 'q"': { type: "boolean" } } },
      [{ a: null, 'q"': true }],
      ["{}", '{"a":null}', '{"a":null,"q\\"":true,"c":1}'],
    ],
    ["objects of no properties", { type: "object", properties: {} }, [{}], ['{"a":1}']],
    [
      "objects of others",
      { type: "object", additionalProperties: { type: "null" }, minProperties: 1, maxProperties: 2 },
      [{ x: null }, { x: null, y: null }],
      ["{}", '{"x":1}', '{"x":null,"y":null,"z":null}'],
    ],
    ["objects of anything", { type: "object", additionalProperties: true }, [{}, { a: { b: [{}] } }], ["[]", "{a:1}"]],
    ["recursion", nested, [[], [[], [[]]]], ["[1]", "[[]"]],
  ])("takes %s, and nothing else", (_name, schema, right, wrong) => {
    for (const value of right) {
      expect(follow(schema, JSON.stringify(value))).toBe("whole");
      for (const indent of [1, 2, "\t"]) {
        const pretty = JSON.stringify(value, null, indent);
        expect(follow(schema, pretty), pretty).toBe("whole");
      }
    }
    for (const text of wrong) expect(follow(schema, text), text).not.toBe("whole");
  });

  it("takes only whole characters of UTF-8", () => {
    const within = (...bytes: number[]): ReturnType<typeof follow> =>
      follow({ type: "string" }, Uint8Array.of(0x22, ...bytes, 0x22));
    expect(within(0xc3, 0xa9)).toBe("whole");
    for (const broken of [[0xc3], [0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff]]) {
      expect(within(...broken)).toBeUndefined();
    }
  });

  it("leaves no way into what never ends, and refuses what has no end at all", () => {
    const endless: GrammarSchema = { type: "array", items: { $ref: "#/$defs/a" }, minItems: 1 };
    expect(follow({ oneOf: [endless, { type: "null" }], $defs: { a: endless } }, "[")).toBeUndefined();
    expect(() => jsonGrammar({ $ref: "#/$defs/a", $defs: { a: endless } })).toThrow(GrammarError);
  });

  it.each<[string, GrammarSchema]>([
    ["itself", { $ref: "#/$defs/a" }],
    ["itself or null", { oneOf: [{ $ref: "#/$defs/a" }, { type: "null" }] }],
    ["another that is it", { oneOf: [{ type: "null" }, { $ref: "#/$defs/b" }] }],
  ])("refuses a definition that is %s", (_name, a) => {
    const schema = { $ref: "#/$defs/a", $defs: { a, b: { $ref: "#/$defs/a" } } };
    expect(() => jsonGrammar(schema)).toThrow(/refers to itself/);
  });
});

describe("an ambiguous grammar", () => {
  const a: GrammarSchema = { $ref: "#/$defs/a" };
  const three: GrammarSchema = {
    ...a,
    $defs: {
      a: {
        oneOf: [
          { type: "array", prefixItems: [a], minItems: 1 },
          { type: "array", items: a, minItems: 1 },
          { type: "array", items: a, minItems: 2 },
          { type: "null" },
        ],
      },
    },
  };
  const doubled = (levels: number): GrammarSchema => {
    if (levels === 0) return { type: "null" };
    const inner = doubled(levels - 1);
    return {
      oneOf: [
        { type: "array", prefixItems: [inner], maxItems: 1 },
        { type: "array", items: inner, minItems: 1, maxItems: 1 },
      ],
    };
  };

  it("costs no more than its length: 3^500 ways through one text", () => {
    const depth = 500;
    expect(follow(three, `${"[".repeat(depth)}null${"]".repeat(depth)}`)).toBe("whole");
    expect(follow(three, `[null${",[null,null]".repeat(500)}]`)).toBe("whole");
    expect(follow(doubled(7), `${"[".repeat(7)}null${"]".repeat(7)}`)).toBe("whole");
  });

  it("is refused where it is beyond the limit of steps", () => {
    const many = Array.from({ length: 400 }, (_, i): GrammarSchema => ({ type: "array", items: a, minItems: i % 9 }));
    expect(() => follow({ ...a, $defs: { a: { oneOf: many } } }, "[".repeat(200))).toThrow(/limit of 100000 steps/);
  });

  it("is refused where it is beyond the limit of symbols", () => {
    const long = Array.from({ length: 200 }, (_, i): GrammarSchema => ({
      type: "string",
      minLength: i,
      maxLength: 1000,
    }));
    expect(() => jsonGrammar({ oneOf: long })).toThrow(/limit of 100000 symbols/);
  });
});

describe("the tokens that a grammar takes", () => {
  it("are those that it takes byte by byte, whatever bytes they share", () => {
    const texts = [
      '"',
      '"a',
      '"ab"',
      '"ab"x',
      "a",
      "ab",
      "abc",
      'b"',
      '"}',
      "{",
      '{"',
      '{"k',
      '{"k":',
      '{"k": "',
      ":",
      " ",
      "",
      "\n",
      "\n  ",
    ];
    const tokens = new TokenBytes(texts.map((text) => Buffer.from(text)));
    const states = new GrammarStates(
      jsonGrammar({ type: "object", properties: { k: { type: "string", maxLength: 3 } } }),
    );
    let state = states.start;
    for (const byte of Buffer.from('{"k":"ab"}')) {
      const alone = texts.map((text) => {
        let after = state;
        for (const one of Buffer.from(text)) after = states.after(after, one);
        return text === "" || after === DEAD ? 1 : 0;
      });
      expect([...tokens.refused(states, state)]).toEqual(alone);
      expect(texts.map((_, token) => (tokens.after(states, state, token) === DEAD ? 1 : 0))).toEqual(alone);
      state = states.after(state, byte);
    }
    expect(states.accepts(state)).toBe(true);
  });
});
