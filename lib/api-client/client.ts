import createFetchClient from "openapi-fetch";
import type { Client } from "openapi-fetch";
import type { components, paths } from "./openapi.d.ts";

export type ApiClient = Client<paths>;
export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

/** A response other than 2xx, with the API's problem. */
export class ApiFailure extends Error {
  readonly status: number;
  /** Undefined if the response came from a proxy in front of the API. */
  readonly problem: Problem | undefined;
  /** Seconds to wait before a retry. */
  readonly retryAfterS: number | undefined;

  constructor(message: string, status: number, problem?: Problem, retryAfterS?: number) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }
}

export type ApiClientOptions = {
  baseUrl: string;
  /** The API key. The console authenticates with a cookie instead. */
  key?: string;
  /** PEM of the certificate authority to trust. Bun only; on Node.js see node.ts. */
  ca?: string;
  /** Deadline of the whole response in ms; of a stream (events, files), until its headers arrive. */
  timeoutMs?: number;
  fetch?: (request: Request, init?: RequestInit) => Promise<Response>;
};

/**
 * Creates a client with the types of the API's OpenAPI document. Throws an {@link ApiFailure} for responses other than
 * 2xx.
 *
 * @example
 * await api.GET("/v1/businesses/{business_id}", { params: { path: { business_id } } });
 */
export function createApiClient({ baseUrl, key, ca, timeoutMs = 10_000, fetch: send }: ApiClientOptions): ApiClient {
  if (ca !== undefined && send === undefined && !("Bun" in globalThis))
    throw new TypeError(
      "Only Bun's fetch supports `ca`. On Node.js, pass `fetch: trusting(ca)` of lib/api-client/node.ts.",
    );
  const tls = ca === undefined ? {} : { tls: { ca } };
  const sendOver = send ?? globalThis.fetch;
  const client = createFetchClient<paths>({
    baseUrl,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    fetch: (request) => withDeadline(timeoutMs, request.signal, (signal) => sendOver(request, { signal, ...tls })),
  });
  client.use({
    onRequest: ({ params, schemaPath }) => {
      for (const [name, value] of Object.entries(params.path ?? {})) {
        // URL resolution would turn these into another path, and so into another operation.
        if (["", ".", ".."].includes(String(value)))
          throw new TypeError(`"${String(value)}" is not a valid ${name} for ${schemaPath}`);
      }
      return undefined;
    },
    onResponse: async ({ request, response }) => {
      if (response.ok) return;
      const problem = await problemOf(response);
      const detail = problem?.detail ?? response.statusText;
      const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
      const path = new URL(request.url).pathname;
      throw new ApiFailure(
        `${request.method} ${path} answered ${response.status}: ${detail}`,
        response.status,
        problem,
        Number.isNaN(retryAfter) ? undefined : retryAfter,
      );
    },
  });
  return client;
}

const streamed = /^(text\/event-stream|application\/octet-stream|image\/|audio\/|video\/)/;

/** Aborts a request at the deadline. After the headers of a stream, only the caller's signal ends it. */
async function withDeadline(
  timeoutMs: number,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException(`no response within ${timeoutMs} ms`, "TimeoutError")),
    timeoutMs,
  );
  // The timer must not keep the process alive.
  if (typeof timer === "object") timer.unref();
  try {
    const response = await send(AbortSignal.any([signal, deadline.signal]));
    if (streamed.test(response.headers.get("content-type") ?? "")) clearTimeout(timer);
    return response;
  } catch (error) {
    clearTimeout(timer);
    throw error;
  }
}

/** The body of a successful response. */
export async function bodyOf<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (data === undefined) throw new Error(`the response ${response.status} of ${response.url} has no body`);
  return data;
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (!response.headers.get("content-type")?.startsWith("application/problem+json")) return undefined;
  return (await response.json().catch(() => undefined)) as Problem | undefined;
}
