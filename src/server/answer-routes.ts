import type { FastifyInstance, FastifyReply } from "fastify";
import { joinedTexts } from "../samples/chat/message.js";
import type { Answers, Question } from "./answers.js";
import { ApiError, asApiError } from "./api-error.js";
import type { RequestFormatter } from "./conversation.js";
import { EventStream } from "./event-stream.js";
import { anyObject, grammarSchema } from "./json-schema.js";
import { askedModel } from "./models.js";
import type { ServedModel } from "./served-model.js";
import {
  chatRequestSchema,
  completionRequestSchema,
  parseBody,
  type ChatRequest,
  type CompletionRequest,
} from "./requests.js";
import { samplingOf, stopOf } from "./sampling.js";
import { chatShapes, completionShapes, type ShapeContext, type Shapes } from "./shapes.js";

/** What the endpoints that answer need. */
export interface AnswerRouteParts {
  readonly served: ServedModel;
  readonly answers: Answers;
  /** Undefined for a model without a chat template. */
  readonly format: RequestFormatter | undefined;
  /** Version and adapter, told with every answer. */
  readonly fingerprint: string;
}

/** POST /v1/chat/completions and /v1/completions. */
export function answerRoutes(app: FastifyInstance, parts: AnswerRouteParts): void {
  app.post("/v1/chat/completions", async (request, reply) => {
    const body = parseBody(chatRequestSchema, request.body);
    const question = chatQuestion(parts, body);
    return respond(parts.answers, question, reply, chatShapes(contextOf(parts, body, question)), body.stream === true);
  });
  app.post("/v1/completions", async (request, reply) => {
    const body = parseBody(completionRequestSchema, request.body);
    const question = completionQuestion(parts, body);
    const shapes = completionShapes(contextOf(parts, body, question));
    return respond(parts.answers, question, reply, shapes, body.stream === true);
  });
}

function chatQuestion({ served, format }: AnswerRouteParts, body: ChatRequest): Question {
  const model = askedModel(served, body.model, body.boundary ?? undefined);
  if (!format) {
    const message = "This model has no chat template. Use /v1/completions with the prompt as the model reads it.";
    throw new ApiError({ status: 400, message, param: "messages", code: "no_chat_template" });
  }
  const messages = body.messages.map(({ role, content }) => ({
    role: role === "developer" ? ("system" as const) : role,
    content: typeof content === "string" ? content : joinedTexts((content ?? []).map(({ text }) => text)),
  }));
  return {
    model,
    prompt: format(messages),
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stop: [...new Set([...stopOf(body), ...served.stop])],
    sampling: samplingOf(body),
    schema: schemaOf(body.response_format),
    logprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
  };
}

function completionQuestion({ served }: AnswerRouteParts, body: CompletionRequest): Question {
  const { prompt } = body;
  // A list of one text is that text; a list of numbers is one prompt's tokens.
  const [first] = typeof prompt === "string" ? [prompt] : prompt;
  return {
    model: askedModel(served, body.model, body.boundary ?? undefined),
    prompt: typeof first === "string" ? first : (prompt as number[]),
    maxTokens: body.max_tokens ?? undefined,
    stop: stopOf(body),
    sampling: samplingOf(body),
    schema: undefined,
    logprobs: body.logprobs ?? undefined,
  };
}

function schemaOf(format: ChatRequest["response_format"]): Question["schema"] {
  if (format?.type === "json_object") return anyObject;
  if (format?.type !== "json_schema") return undefined;
  return grammarSchema(format.json_schema.schema, "response_format.json_schema.schema");
}

function contextOf(
  { fingerprint }: AnswerRouteParts,
  body: ChatRequest | CompletionRequest,
  question: Question,
): ShapeContext {
  return {
    model: body.model,
    boundary: question.model.boundary,
    fingerprint: `${fingerprint}-${question.model.boundary}`,
    logprobs: question.logprobs !== undefined,
    includeUsage: body.stream_options?.include_usage === true,
  };
}

/** Answers a question, whole or as a stream. When the client goes away, so does the work for it. */
async function respond(
  answers: Answers,
  question: Question,
  reply: FastifyReply,
  shapes: Shapes,
  stream: boolean,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  if (reply.raw.destroyed) gone.abort();
  const admitted = await answers.admit(question, gone.signal);
  reply.log.info({ mask: question.model.name, ...answers.load }, "admitted");
  if (!stream) return reply.send(shapes.whole(await admitted.answer()));

  const events = new EventStream();
  const finish = async (): Promise<void> => {
    try {
      for (const event of shapes.opening()) events.send(event);
      const answer = await admitted.answer((delta) => {
        events.send(shapes.piece(delta));
      });
      for (const event of shapes.closing(answer)) events.send(event);
      events.done();
    } catch (error) {
      if (!(error instanceof ApiError)) reply.log.error(error, "an answer failed");
      events.fail(asApiError(error).body);
    }
  };
  void finish();
  return reply
    .header("content-type", "text/event-stream; charset=utf-8")
    .header("cache-control", "no-store")
    .header("x-accel-buffering", "no")
    .send(events);
}
