import { z } from "zod";
import { AppError, isConnectionRefused, messageOf } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { deadline } from "../../core/time.ts";
import { placedCall } from "./schemas.ts";
import type { CallOrder, PlacedCall } from "./schemas.ts";

export type CallsClient = {
  /**
   * Places a call, by whichever replica. Throws `AppError`:
   *   "unavailable"            no replica or carrier can be reached, or there is no slot; `retryAfterS` where it was told
   *   "upstream_timeout"       no answer in time; whether the call was placed is not known
   *   "forbidden"              the destination may not be called
   *   "not_found"              `from` is no number of the business
   *   "conflict"               the same order is under way, or it is not known what became of it
   *   "idempotency_mismatch", "rate_limited", "invalid_request"   as the service, or the carrier behind it, says
   *   "internal"               an answer that the contract does not allow
   */
  place(order: CallOrder, idempotencyKey?: string): Promise<PlacedCall>;
};

export type CallsClientOptions = {
  /** Where replicas are at present: `http://host:port`. */
  addresses: () => readonly string[];
  /** CALLS_TOKEN; undefined: none is set, and nothing can be asked. */
  token: string | undefined;
  /** Above the time that the carrier has for its answer when a call is placed. */
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
    place: async (order, idempotencyKey) => {
      if (token === undefined)
        throw new AppError("unavailable", "Calls cannot be placed here: give the API the CALLS_TOKEN.");
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      };
      const response = await fromAny(shuffled(addresses()), (url) =>
        fetch(`${url}/calls`, {
          method: "POST",
          headers,
          body: JSON.stringify(order),
          redirect: "error",
          signal: deadline(timeoutMs),
        }),
      );
      const text = await response.text();
      if (!response.ok) throw refusal(response, text);
      const parsed = placedCall.safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      throw new AppError("internal", "The calls service gave an answer that was not understood.", {
        cause: parsed.error,
      });
    },
  };
}

/** The answer of the first replica that can be reached. What one may have taken is asked of no other. */
async function fromAny(urls: readonly string[], ask: (url: string) => Promise<Response>): Promise<Response> {
  let last: unknown;
  for (const url of urls) {
    try {
      return await ask(url);
    } catch (cause) {
      if (cause instanceof Error && cause.name === "TimeoutError") {
        throw new AppError("upstream_timeout", "The calls service did not answer in time; try again.", {
          cause,
          retryAfterS: 2,
        });
      }
      last = cause;
      if (!isConnectionRefused(cause)) break;
    }
  }
  throw new AppError("unavailable", "No replica of the calls service can be reached at present; try again shortly.", {
    cause: last,
    retryAfterS: 2,
  });
}

/** Load over all replicas, without a memory of who was asked last. */
function shuffled(urls: readonly string[]): string[] {
  const start = Math.floor(Math.random() * urls.length);
  return [...urls.slice(start), ...urls.slice(0, start)];
}

function refusal(response: Response, text: string): AppError {
  const said = problem.safeParse(parseJson(text));
  const code = codeOfStatus.get(response.status) ?? "internal";
  if (code === "internal" || !said.success) {
    return new AppError("internal", "The calls service gave an answer that was not understood.", {
      cause: new Error(`HTTP ${response.status}: ${text.slice(0, 300)}`),
    });
  }
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new AppError(code, said.data.detail, Number.isFinite(seconds) ? { retryAfterS: seconds } : {});
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { broken: messageOf(error) };
  }
}
