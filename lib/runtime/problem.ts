import type { Context, ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ZodError } from "zod";
import { AppError } from "../core/errors.ts";
import type { ErrorCode, FieldFault } from "../core/errors.ts";
import type { Logger } from "./log.ts";

/** The HTTP status and title of each error code. No other module maps failures to statuses. */
export const problems: Record<ErrorCode, { status: ContentfulStatusCode; title: string }> = {
  invalid_request: { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "Authentication is required" },
  forbidden: { status: 403, title: "This key may not do that" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "The method is not supported here" },
  request_timeout: { status: 408, title: "The request body took too long" },
  conflict: { status: 409, title: "The request conflicts with the current state" },
  precondition_failed: { status: 412, title: "A precondition of the request failed" },
  too_large: { status: 413, title: "The request is too large" },
  unsupported_media_type: { status: 415, title: "The media type is not supported" },
  idempotency_mismatch: { status: 422, title: "The Idempotency-Key was used with another request" },
  rate_limited: { status: 429, title: "Too many requests" },
  quota_exceeded: { status: 429, title: "A quota of the business is exhausted" },
  internal: { status: 500, title: "Something went wrong on our side" },
  unavailable: { status: 503, title: "Temporarily unavailable" },
  upstream_timeout: { status: 504, title: "An upstream service did not answer in time" },
};

/** Converts a zod error to faults, one for each field, by its path such as `messages.0.to`. */
export function fieldFaults(error: Pick<ZodError, "issues">): FieldFault[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        field: [...issue.path, key].map(String).join("."),
        message: "is not a field of this request",
      }));
    }
    return [{ field: issue.path.map(String).join(".") || "body", message: issue.message }];
  });
}

function codeOfStatus(status: number): ErrorCode {
  const found = (Object.keys(problems) as ErrorCode[]).find((code) => problems[code].status === status);
  return found ?? (status < 500 ? "invalid_request" : "internal");
}

/** Converts an exception of Hono's own parsers, which always concern the body. */
function refusalOf(error: HTTPException): AppError {
  const code = codeOfStatus(error.status);
  const message =
    code === "unsupported_media_type"
      ? "Send the body as `Content-Type: application/json`."
      : error.message || "The request was refused.";
  const field = code === "unsupported_media_type" ? "content-type" : "body";
  const faults = error.status === 400 || error.status === 415 ? [{ field, message }] : undefined;
  return new AppError(code, message, { cause: error, ...(faults ? { faults } : {}) });
}

/** Converts any thrown value to an AppError. An unexpected error becomes "internal" and reveals no details. */
function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof ZodError) {
    return new AppError("invalid_request", "Some fields of the request are not valid.", {
      faults: fieldFaults(error),
      cause: error,
    });
  }
  if (error instanceof HTTPException) return refusalOf(error);
  return new AppError("internal", "An unexpected error occurred. The log has its details under the request id.", {
    cause: error,
  });
}

/** An RFC 9457 response: `{type, title, status, detail, request_id, errors?}`. `type` is stable for each code. */
export function problemResponse(c: Context, error: AppError): Response {
  const { status, title } = problems[error.code];
  const requestId: unknown = c.get("requestId");
  const body = {
    type: `urn:prosaas:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    ...(typeof requestId === "string" ? { request_id: requestId } : {}),
    ...(error.faults ? { errors: error.faults } : {}),
    ...error.detail,
  };
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (error.retryAfterS !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterS)));
  // Closes the connection instead of waiting for the rest of the body.
  if (error.code === "request_timeout") headers["connection"] = "close";
  if (error.code === "unauthorized") headers["www-authenticate"] = "Bearer";
  return c.body(JSON.stringify(body), status, headers);
}

/** For `app.onError`: logs internal errors and answers problem+json. */
export function problemHandler(logger: Logger): ErrorHandler {
  return (error, c) => {
    const known = toAppError(error);
    if (known.code === "internal")
      logger.error({ error, request_id: c.get("requestId") }, "request failed unexpectedly");
    return problemResponse(c, known);
  };
}

/** For `app.notFound`. */
export const notFound: NotFoundHandler = (c) =>
  problemResponse(c, new AppError("not_found", `There is nothing at ${c.req.method} ${c.req.path}.`));
