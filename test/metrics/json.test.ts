import { describe, expect, it } from "vitest";
import { toolCallsIn } from "../../src/metrics/json.js";
import { metricByName } from "../../src/metrics/registry.js";
import { chatMetrics } from "../../src/tasks/chat-metrics.js";

const value = (name: string, prediction: string, ...references: string[]): number => {
  const metric = metricByName(name, { rules: "squad" });
  return metric.sampleValue(metric.statistics(prediction, references));
};

describe("metrics of JSON", () => {
  it.each([
    ['{"a": 1, "b": [1, {"c": null}]}', '{"b":[1,{"c":null}],"a":1.0}', 1],
    ['{"a": 1}', '{"a": "1"}', 0],
    ["[1, 2]", "[2, 1]", 0],
    [' \n{"a":1}\n', '{"a":1}', 1],
    ["a 1", '{"a":1}', 0],
    ["null", "null", 1],
    ["a", "a", 0],
    ['{"a":1,"b":2}', '{"a":1}', 0],
  ])("%j against %j: %d", (prediction, reference, expected) => {
    expect(value("json-equal", prediction, reference)).toBe(expected);
    expect(value("json-equal", prediction, '{"other": 0}', reference)).toBe(expected);
  });

  it("tell whether an answer is JSON at all", () => {
    expect(["{}", " [1] ", "null", '"a"'].map((text) => value("json-valid", text, "{}"))).toEqual([1, 1, 1, 1]);
    expect(["", "{", "{a:1}", "{}{}", "```json\n{}\n```"].map((text) => value("json-valid", text, "{}"))).toEqual([
      0, 0, 0, 0, 0,
    ]);
  });
});

describe("metrics of calls", () => {
  const call = [{ name: "look", arguments: { at: "box", n: 2 } }];
  it.each([
    '<tool_call>\n{"name": "look", "arguments": {"n": 2, "at": "box"}}\n</tool_call>',
    '{"name": "look", "parameters": {"at": "box", "n": 2}}',
    '<|python_tag|>{"name": "look", "parameters": {"at": "box", "n": 2}}',
    '[TOOL_CALLS] [{"name": "look", "arguments": {"at": "box", "n": 2}}]',
    '[{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{\\"at\\": \\"box\\", \\"n\\": 2}"}}]',
  ])("are read as templates write them: %s", (text) => {
    expect(toolCallsIn(text)).toEqual(call);
    expect([
      value("tool-name", text, JSON.stringify(call)),
      value("tool-arguments", text, JSON.stringify(call)),
    ]).toEqual([1, 1]);
  });

  it("count names, order and arguments", () => {
    const two =
      '<tool_call>\n{"name":"a","arguments":{}}\n</tool_call>\n<tool_call>\n{"name":"b","arguments":{"x":1}}\n</tool_call>';
    const calls = (...names: string[]): string =>
      JSON.stringify(names.map((name) => ({ name, arguments: name === "b" ? { x: 1 } : {} })));
    expect(value("tool-name", two, calls("a", "b"))).toBe(1);
    expect(value("tool-name", two, calls("b", "a"))).toBe(0);
    expect(value("tool-name", two, calls("a"))).toBe(0);
    expect(value("tool-arguments", two, calls("a", "b"))).toBe(1);
    expect(value("tool-arguments", two.replace('"x":1', '"x":2'), calls("a", "b"))).toBe(0);
    expect(value("tool-name", two.replace('"x":1', '"x":2'), calls("a", "b"))).toBe(1);
    expect(["I cannot.", "", "<tool_call>", "{}"].map((text) => value("tool-name", text, calls("a")))).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it("are those of training data whose references are such", () => {
    const of = (...references: string[]): string =>
      chatMetrics(references.map((one) => ({ references: [one] }))).settings.metric;
    expect(of('{"name": "look", "arguments": {}}', '<tool_call>{"name": "look"}</tool_call>')).toBe("tool-arguments");
    expect(of('{"a": 1}', "[1]")).toBe("json-equal");
    expect(of("1", "2")).toBe("contains");
    expect(of('{"a": 1}', "a")).toBe("contains");
  });
});
