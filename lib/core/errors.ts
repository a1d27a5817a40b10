/** Every way a request or a job of ours can fail. HTTP statuses are given to them in `lib/runtime/problem.ts`, nowhere else. */
export type ErrorCode =
  | "invalid_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
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
  /** Extra members for the caller; never secrets, never message contents. */
  detail?: Record<string, unknown>;
  /** Which fields of the request are at fault. */
  faults?: FieldFault[];
  /** Seconds after which trying again makes sense. */
  retryAfterS?: number;
};

/** A failure that the caller is told about: its message is a sentence that says what to do. */
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

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a request failed before anything was sent: nobody listens there. */
export function isConnectionRefused(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ECONNREFUSED" || code === "ConnectionRefused";
}
