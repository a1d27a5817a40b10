/** Every way a request or a job can fail. Only `lib/runtime/problem.ts` maps them to HTTP statuses. */
export type ErrorCode =
  | "invalid_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "precondition_failed"
  | "idempotency_mismatch"
  | "too_large"
  | "unsupported_media_type"
  | "request_timeout"
  | "quota_exceeded"
  | "rate_limited"
  | "unavailable"
  | "upstream_timeout"
  | "internal";

export type FieldFault = { field: string; message: string };

export type AppErrorOptions = {
  cause?: unknown;
  /** Extra members of the problem document. They must not hold secrets or message contents. */
  detail?: Record<string, unknown>;
  /** Fields of the request that are invalid. */
  faults?: FieldFault[];
  /** Seconds after which a retry may succeed. */
  retryAfterS?: number;
};

/** A failure that is reported to the caller. Its message is a sentence that says what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: Record<string, unknown> | undefined;
  readonly faults: FieldFault[] | undefined;
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.detail = options.detail;
    this.faults = options.faults;
    this.retryAfterS = options.retryAfterS;
  }
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True if a request failed because nothing listens on the port. No byte of it was sent. */
export function isConnectionRefused(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ECONNREFUSED" || code === "ConnectionRefused";
}
