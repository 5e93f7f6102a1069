import { z } from "zod";
import { version } from "../version.js";
import { chatRequestSchema, completionRequestSchema } from "./requests.js";

const errorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** Statuses of errors, with what they mean here. */
const ERRORS: Readonly<Record<string, string>> = {
  400: "a field of the request is wrong, or the prompt does not fit the context",
  401: "the API key is missing or wrong",
  404: "there is no such model",
  413: "the body is too large",
  429: "the queue is full; Retry-After tells when to try again",
  503: "the server is shutting down, or memory is short",
};

/** The OpenAPI description of the server, made from the schemas that check its requests. */
export function openApi(): object {
  return {
    openapi: "3.1.0",
    info: { title: "boundary", version, description: "A base model with a LoRA adapter at any boundary K." },
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
      schemas: {
        ChatRequest: jsonSchema(chatRequestSchema),
        CompletionRequest: jsonSchema(completionRequestSchema),
        Error: jsonSchema(errorBody),
      },
    },
    security: [{ key: [] }],
    paths: {
      "/v1/chat/completions": { post: answering("an answer to a conversation", "ChatRequest") },
      "/v1/completions": { post: answering("a continuation of a text", "CompletionRequest") },
      "/v1/models": { get: telling("the models: base, full and, from a sweep, trimmed") },
      "/v1/models/{id}": {
        get: { ...telling("one model"), parameters: [parameter("id", "path", { type: "string" })] },
      },
      "/v1/boundary/info": { get: telling("layers, boundaries, limits and the curve of the sweep") },
      "/v1/boundary/samples": {
        get: {
          ...telling("samples of the sweep with their prompts and references"),
          parameters: [
            ...["limit", "offset"].map((name) => parameter(name, "query", { type: "integer" })),
            parameter("filter", "query", { type: "string" }),
          ],
        },
      },
      "/health": { get: { ...telling("whether the server takes requests"), security: [] } },
      "/metrics": { get: { summary: "Prometheus metrics", responses: { 200: { description: "text" } } } },
    },
  };
}

function jsonSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
}

function answering(summary: string, body: string): object {
  const schema = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
  const content = (name: string): object => ({ "application/json": { schema: schema(name) } });
  const errors = Object.entries(ERRORS).map(([status, description]): [string, object] => [
    status,
    { description, content: content("Error") },
  ]);
  return {
    summary,
    requestBody: { required: true, content: content(body) },
    responses: {
      200: {
        description: "the answer; with `stream`, server-sent events that end with [DONE]",
        content: {
          "application/json": { schema: { type: "object" } },
          "text/event-stream": { schema: { type: "string" } },
        },
      },
      ...Object.fromEntries(errors),
    },
  };
}

function telling(summary: string): object {
  const schema = { type: "object" };
  return { summary, responses: { 200: { description: summary, content: { "application/json": { schema } } } } };
}

function parameter(name: string, where: "path" | "query", schema: object): object {
  return { name, in: where, required: where === "path", schema };
}
