import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { LAYERS, question, tinyServer, type Ask } from "./running-server.js";

const tiny = tinyServer();

describe("the official client", () => {
  it("lists the models", async () => {
    const { data } = await tiny.main.client.models.list();
    expect(data.map(({ id }) => id)).toEqual(["base", "full"]);
    expect(await tiny.main.client.models.retrieve("full")).toMatchObject({ object: "model", boundary: LAYERS });
  });

  it("gets an answer with usage", async () => {
    const answer = await tiny.main.client.chat.completions.create(question("hi"));
    expect(answer).toMatchObject({ object: "chat.completion", model: "full", boundary: LAYERS });
    expect(answer.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { role: "assistant" },
      logprobs: null,
    });
    // <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n in a byte-level vocabulary.
    expect(answer.usage).toMatchObject({ prompt_tokens: 21, completion_tokens: 10, total_tokens: 31 });
  });

  it("gets the same answer as a stream, with usage where it is asked for", async () => {
    const whole = await tiny.textOf(question("hi"));
    const stream = await tiny.main.client.chat.completions.create({
      ...question("hi"),
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(whole);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("length");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 10 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it("continues texts and tokens, with probabilities", async () => {
    const body = { model: "base", prompt: "hi", max_tokens: 4, logprobs: 2 } as const;
    const text = await tiny.main.client.completions.create(body);
    const [choice] = text.choices;
    expect(choice?.logprobs?.tokens).toHaveLength(4);
    expect(choice?.logprobs?.token_logprobs?.every((value) => value <= 0)).toBe(true);
    expect(Object.keys(choice?.logprobs?.top_logprobs?.[0] ?? {})).toHaveLength(2);
    const tokens = await tiny.engine.tokenize(["hi"]);
    const same = await tiny.main.client.completions.create({ ...body, prompt: tokens[0] ?? [] });
    expect(same.choices[0]?.text).toBe(choice?.text);
    const streamed: string[] = [];
    for await (const chunk of await tiny.main.client.completions.create({ ...body, stream: true })) {
      streamed.push(chunk.choices[0]?.text ?? "");
    }
    expect(streamed.join("")).toBe(choice?.text);
  });

  it("gets log-probabilities with a conversation", async () => {
    const answer = await tiny.main.client.chat.completions.create({
      ...question("hi"),
      logprobs: true,
      top_logprobs: 3,
    });
    const content = answer.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(10);
    for (const { logprob, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3);
      // Greedy: the token taken is the most probable one.
      expect(top_logprobs[0]?.logprob).toBe(logprob);
    }
  });

  it("keeps stop strings, seeds and schemas", async () => {
    const whole = await tiny.textOf(question("hi"));
    const stop = whole.slice(3, 5);
    const stopped = await tiny.main.client.chat.completions.create({ ...question("hi"), stop: [stop] });
    expect(stopped.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { content: whole.slice(0, whole.indexOf(stop)) },
    });
    const warm = (seed: number): Ask => Object.assign(question("hi"), { temperature: 2, seed });
    expect(await tiny.textOf(warm(11))).toBe(await tiny.textOf(warm(11)));
    expect(await tiny.textOf(warm(12))).not.toBe(await tiny.textOf(warm(11)));
    const schema = {
      type: "object",
      properties: { ok: { type: "boolean" } },
      required: ["ok"],
      additionalProperties: false,
    };
    const json = await tiny.textOf({
      ...question("hi"),
      max_completion_tokens: 60,
      response_format: { type: "json_schema", json_schema: { name: "x", strict: true, schema } },
    });
    expect(typeof (JSON.parse(json) as { ok: unknown }).ok).toBe("boolean");
  });

  it("takes conversations of many turns, contents in parts, and fields that are not ours", async () => {
    const body = {
      model: "base",
      max_completion_tokens: 5,
      messages: [
        { role: "developer", content: "Be short." },
        {
          role: "user",
          content: [
            { type: "text", text: "h" },
            { type: "text", text: "i" },
          ],
        },
        { role: "assistant", content: "hello" },
        { role: "user", content: "and?" },
      ],
      // As Open WebUI sends them.
      ...{
        chat_id: "1",
        session_id: "2",
        background_tasks: {},
        metadata: {},
        user: "me",
        store: null,
        tools: [],
        n: 1,
      },
    };
    const answer = (await (
      await tiny.post("/v1/chat/completions", JSON.stringify(body))
    ).json()) as OpenAI.ChatCompletion;
    expect(answer.usage?.completion_tokens).toBe(5);
    const text =
      "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nh\ni<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n<|im_start|>user\nand?<|im_end|>\n<|im_start|>assistant\n";
    const plain = await tiny.main.client.completions.create({ model: "base", prompt: text, max_tokens: 5 });
    expect(answer.choices[0]?.message.content).toBe(plain.choices[0]?.text);
  });
});

describe("base, full and any boundary at once", () => {
  it("answer 32 clients as if each were alone", async () => {
    const asked = Array.from({ length: 32 }, (_, i): Ask => {
      const boundary = i % (LAYERS + 1);
      const body = question(`question ${i % 7}`);
      return boundary === 0 ? { ...body, model: "base" } : { ...body, boundary };
    });
    const alone: string[] = [];
    for (const body of asked) alone.push(await tiny.textOf(body));
    expect(new Set(alone).size).toBeGreaterThan(LAYERS + 1);
    for (const stream of [false, true]) {
      const together = await Promise.all(
        asked.map(async (body) => {
          if (!stream) return tiny.textOf(body);
          let text = "";
          for await (const { choices } of await tiny.main.client.chat.completions.create({ ...body, stream: true })) {
            text += choices[0]?.delta.content ?? "";
          }
          return text;
        }),
      );
      expect(together).toEqual(alone);
    }
  });

  it("are named by model and boundary, and by boundary-K", async () => {
    const two = await tiny.textOf({ ...question("hi"), boundary: 2 });
    expect(await tiny.textOf({ ...question("hi"), model: "boundary-2" })).toBe(two);
    expect(await tiny.textOf({ ...question("hi"), boundary: LAYERS })).toBe(await tiny.textOf(question("hi")));
    expect(await tiny.textOf({ ...question("hi"), boundary: 0 })).toBe(
      await tiny.textOf({ ...question("hi"), model: "base" }),
    );
    expect(two).not.toBe(await tiny.textOf(question("hi")));
  });
});
