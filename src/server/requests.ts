import { z } from "zod";
import { ApiError } from "./api-error.js";

const SEEDS = 2 ** 53 - 1;
/**
 * Most stop strings, characters of one, alternatives of a token, messages, and biased tokens. OpenAI takes 4 stop strings, 20
 * alternatives and 2048 messages. All are looked at before their items are: checking a request must not make others wait.
 */
const MOST = { stop: 16, stopLength: 1000, alternatives: 20, messages: 2048, biases: 4096 } as const;

const text = z.string();
const whole = z.number().int();
const stopString = text.min(1).max(MOST.stopLength);

/** Fields that both endpoints have. Clients send null for what they leave open, and fields that we know nothing of: those are ignored. */
const shared = {
  model: text.min(1).describe("one of /v1/models, or boundary-K for any K"),
  boundary: whole.min(0).nullish().describe("any K of the full adapter; with the model `full` only"),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  stop: z.union([stopString, z.array(stopString).max(MOST.stop)]).nullish(),
  seed: whole.min(-SEEDS).max(SEEDS).nullish(),
  temperature: z.number().min(0).max(2).nullish().describe("0, the default, takes the most probable token"),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: whole.min(0).nullish().describe("most candidates; 0, the default, for all"),
  min_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z
    .unknown()
    .refine((given) => Object.keys(Object(given) as object).length <= MOST.biases, `at most ${MOST.biases} tokens`)
    .pipe(z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100)).nullish())
    .optional(),
  max_tokens: whole.min(1).nullish(),
  n: z.literal(1, "Only one answer a request is supported.").nullish(),
};

const responseFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: z.object({
      name: text.optional(),
      schema: z.record(text, z.unknown()),
      strict: z.boolean().nullish(),
    }),
  }),
]);

const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant"], "The roles are system, developer, user and assistant."),
  content: z
    .union([text, z.array(z.object({ type: z.literal("text", "Only content of type text is supported."), text }))])
    .nullish(),
});

const notSupported = (what: string): z.ZodType => z.array(z.unknown()).max(0, `${what} are not supported.`).nullish();

/** Body of POST /v1/chat/completions. */
export const chatRequestSchema = z.object({
  ...shared,
  messages: z.array(z.unknown()).min(1).max(MOST.messages).pipe(z.array(message)),
  max_completion_tokens: whole.min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: whole.min(0).max(MOST.alternatives).nullish(),
  response_format: responseFormat.nullish(),
  tools: notSupported("Tools"),
  functions: notSupported("Functions"),
});

/** Body of POST /v1/completions. */
export const completionRequestSchema = z.object({
  ...shared,
  prompt: z
    .union([text, z.array(z.unknown()).min(1).superRefine(onePrompt)])
    .describe("a text, special tokens recognised, or the ids of its tokens"),
  logprobs: whole.min(0).max(MOST.alternatives).nullish(),
  echo: z.literal(false, "echo is not supported.").nullish(),
  suffix: z.literal("", "suffix is not supported.").nullish(),
  best_of: z.literal(1, "Only one answer a request is supported.").nullish(),
});

/** A list of one text, or of token ids. In one pass: there may be as many ids as a body holds. */
function onePrompt(items: readonly unknown[], context: z.RefinementCtx): void {
  const [first] = items;
  const add = (message: string): void => {
    context.addIssue({ code: "custom", message });
  };
  if (typeof first === "string") {
    if (items.length > 1) add("Only one prompt a request is supported.");
  } else if (!items.every((id) => Number.isSafeInteger(id) && Number(id) >= 0)) {
    add("must be a text, or a list of token ids: whole numbers from 0 on");
  }
}

export type ChatRequest = z.output<typeof chatRequestSchema>;
export type CompletionRequest = z.output<typeof completionRequestSchema>;

/** A body, checked. @throws ApiError 400 about its first field that is wrong. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = firstIssue(result.error.issues);
  const param = pathText(issue.path);
  const problem = issue.code === "invalid_type" && issue.message.includes("undefined") ? "is missing" : issue.message;
  throw new ApiError({
    status: 400,
    message: param === "" ? "The body of the request must be a JSON object." : `${param}: ${problem}`,
    ...(param === "" ? {} : { param }),
    code: "invalid_value",
  });
}

/** The first issue; for a union that fits in none of its forms, that of the form which failed furthest inside. */
function firstIssue(issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[] = []): z.core.$ZodIssue {
  const [first] = issues;
  if (!first) throw new RangeError("a failed check has an issue");
  const issue = { ...first, path: [...above, ...first.path] };
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.filter((form) => form.length > 0).map((form) => firstIssue(form, issue.path));
  const deepest = inner.reduce<z.core.$ZodIssue>(
    (best, issue) => (issue.path.length > best.path.length ? issue : best),
    issue,
  );
  return deepest;
}

/** `messages[0].content`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((before, key) => {
    if (typeof key === "number") return `${before}[${key}]`;
    return before === "" ? String(key) : `${before}.${String(key)}`;
  }, "");
}
