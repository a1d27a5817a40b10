import { z } from "zod";
import { AppError, isConnectionRefused, messageOf } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { deadline } from "../../core/time.ts";
import { currentTraceparent } from "../../tracing/index.ts";
import { dialledCall } from "./schemas.ts";
import type { CallOrder, DialledCall } from "./schemas.ts";

export type CallsClient = {
  /**
   * Dials a call through any replica. Throws `AppError`:
   *   "unavailable"            no replica or carrier is reachable, or no slot is free; may set `retryAfterS`
   *   "upstream_timeout"       the answer timed out; the call may have been dialled
   *   "forbidden"              the destination is not allowed
   *   "not_found"              `from` is not a number of the business
   *   "conflict"               the same order is in flight, or its outcome is unknown
   *   "idempotency_mismatch", "rate_limited", "invalid_request"   as the service or the carrier answers
   *   "internal"               the answer breaks the contract
   */
  dial(order: CallOrder, idempotencyKey?: string): Promise<DialledCall>;
};

export type CallsClientOptions = {
  /** The current addresses of replicas: `http://host:port`. */
  addresses: () => readonly string[];
  /** CALLS_TOKEN. Without it every call fails. */
  token: string | undefined;
  /** Longer than the service's own timeout towards the carrier. */
  timeoutMs?: number;
};

const codeOfStatus = new Map<number, ErrorCode>([
  [400, "invalid_request"],
  [403, "forbidden"],
  [404, "not_found"],
  [409, "conflict"],
  [422, "idempotency_mismatch"],
  [429, "rate_limited"],
  [503, "unavailable"],
  [504, "upstream_timeout"],
]);

const problem = z.looseObject({ detail: z.string() });

export function createCallsClient({ addresses, token, timeoutMs = 12_000 }: CallsClientOptions): CallsClient {
  return {
    dial: async (order, idempotencyKey) => {
      if (token === undefined)
        throw new AppError("unavailable", "Outbound calls are not configured. Set CALLS_TOKEN for the API.");
      const traceparent = currentTraceparent();
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
        ...(traceparent === undefined ? {} : { traceparent }),
      };
      const response = await fromAny(rotated(addresses()), (url) =>
        fetch(`${url}/calls`, {
          method: "POST",
          headers,
          body: JSON.stringify(order),
          redirect: "error",
          signal: deadline(timeoutMs),
        }),
      );
      const text = await response.text();
      if (!response.ok) throw errorOf(response, text);
      const parsed = dialledCall.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      throw new AppError("internal", "The calls service sent an invalid answer.", { cause: parsed.error });
    },
  };
}

/** Tries replicas until one can be reached. Never retries an order that a replica may have accepted. */
async function fromAny(urls: readonly string[], ask: (url: string) => Promise<Response>): Promise<Response> {
  let last: unknown;
  for (const url of urls) {
    try {
      return await ask(url);
    } catch (cause) {
      if (cause instanceof Error && cause.name === "TimeoutError") {
        throw new AppError("upstream_timeout", "The calls service did not answer in time. Retry.", {
          cause,
          retryAfterS: 2,
        });
      }
      last = cause;
      if (!isConnectionRefused(cause)) break;
    }
  }
  throw new AppError("unavailable", "The calls service is unavailable. Retry shortly.", {
    cause: last,
    retryAfterS: 2,
  });
}

/** Rotates the list to a random start, which spreads load over the replicas without shared state. */
function rotated(urls: readonly string[]): string[] {
  const start = Math.floor(Math.random() * urls.length);
  return [...urls.slice(start), ...urls.slice(0, start)];
}

/** Turns an error answer and its problem document into an AppError. */
function errorOf(response: Response, text: string): AppError {
  const parsed = problem.safeParse(parseJson(text));
  const code = codeOfStatus.get(response.status) ?? "internal";
  if (code === "internal" || !parsed.success) {
    return new AppError("internal", "The calls service sent an invalid answer.", {
      cause: new Error(`HTTP ${response.status}: ${text.slice(0, 300)}`),
    });
  }
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new AppError(code, parsed.data.detail, Number.isFinite(seconds) ? { retryAfterS: seconds } : {});
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { broken: messageOf(error) };
  }
}
