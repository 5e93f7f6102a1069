import { BoundaryError, EngineError, MemoryError } from "../errors.js";

/** Kinds of errors in OpenAI's API. */
export type ApiErrorType =
  "invalid_request_error" | "authentication_error" | "permission_error" | "rate_limit_error" | "server_error";

/** What a client is told about an error. */
export interface ApiErrorParts {
  readonly status: number;
  readonly message: string;
  readonly type?: ApiErrorType;
  /** The field of the request that is wrong. */
  readonly param?: string;
  readonly code?: string;
  /** Seconds after which another try may succeed. */
  readonly retryAfterSeconds?: number;
}

/** An answer in OpenAI's shape of errors. */
export interface ApiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ApiErrorType;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** An error that a client is told about as it is: its message holds nothing of this machine. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly body: ApiErrorBody;

  constructor({ status, message, type = "invalid_request_error", param, code, retryAfterSeconds }: ApiErrorParts) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
    this.body = { error: { message, type, param: param ?? null, code: code ?? null } };
  }
}

/** The server takes nothing new: it is about to end. */
export function shuttingDown(): ApiError {
  const message = "The server is shutting down.";
  return new ApiError({ status: 503, message, type: "server_error", code: "draining", retryAfterSeconds: 5 });
}

/** What Fastify puts on the errors of its own: a malformed body, one that is too large, ... */
interface HttpError {
  readonly statusCode: number;
  readonly code?: string;
}

/** Messages for Fastify's own errors, in words that say what to do. */
const HTTP_MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "The body of the request is too large.",
  FST_ERR_CTP_EMPTY_JSON_BODY: "The body of the request is empty; it must be JSON.",
  FST_ERR_CTP_INVALID_JSON_BODY: "The body of the request is not valid JSON.",
  FST_ERR_BAD_URL: "The address of the request is malformed or not percent-encoded UTF-8.",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "The body must be JSON, with the header `Content-Type: application/json`.",
};

/**
 * What a client is told about any error. Errors of ours can name files of this machine, so clients get none of their words; the log
 * has them.
 */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof MemoryError) {
    const message = "There is not enough memory for this request now.";
    return new ApiError({ status: 503, message, type: "server_error", code: "out_of_memory", retryAfterSeconds: 5 });
  }
  if (error instanceof EngineError) {
    return new ApiError({ status: 500, message: "The engine failed.", type: "server_error", code: "engine_error" });
  }
  if (!(error instanceof BoundaryError) && isHttpError(error) && error.statusCode < 500) {
    const message = HTTP_MESSAGES[error.code ?? ""] ?? "The request is malformed.";
    return new ApiError({ status: error.statusCode, message, ...(error.code ? { code: codeOf(error.code) } : {}) });
  }
  return new ApiError({ status: 500, message: "Something failed here.", type: "server_error" });
}

function isHttpError(error: unknown): error is HttpError {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number";
}

/** `FST_ERR_CTP_BODY_TOO_LARGE` -> `body_too_large`. */
function codeOf(code: string): string {
  return code.replace(/^FST_ERR_(CTP_)?/, "").toLowerCase();
}
