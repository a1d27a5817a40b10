import createFetchClient from "openapi-fetch";
import type { Client } from "openapi-fetch";
import type { components, paths } from "./openapi.d.ts";

export type ApiClient = Client<paths>;
export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

/** An answer that is none of 2xx, in the API's own words. */
export class ApiFailure extends Error {
  readonly status: number;
  /** Undefined where the answer came from something before the API. */
  readonly problem: Problem | undefined;
  /** Seconds after which trying again makes sense. */
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
  /** The API key; a browser that signed in to the console has a cookie in its place. */
  key?: string;
  /** PEM of the certificate authority that the server's certificate is checked against; on Bun alone (see node.ts). */
  ca?: string;
  /** Milliseconds until an answer is complete; of a stream (events, files), until it begins. */
  timeoutMs?: number;
  fetch?: (request: Request, init?: RequestInit) => Promise<Response>;
};

/**
 * The API's operations by their paths, with the types of its OpenAPI document: `api.GET("/v1/businesses/{business_id}",
 * { params: { path: { business_id } } })`. What is not 2xx is thrown as an {@link ApiFailure}.
 */
export function createApiClient({ baseUrl, key, ca, timeoutMs = 10_000, fetch: send }: ApiClientOptions): ApiClient {
  if (ca !== undefined && send === undefined && !("Bun" in globalThis))
    throw new TypeError(
      "Only Bun's fetch takes `ca`: on Node.js pass `fetch: trusting(ca)` of lib/api-client/node.ts.",
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
        // Encoded or not, a URL resolves them as steps within the path: the request would go to another operation.
        if (["", ".", ".."].includes(String(value)))
          throw new TypeError(`"${String(value)}" is no ${name} for ${schemaPath}`);
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

/** Aborts a request at the deadline; once a stream has begun, only `signal` of the caller ends it. */
async function withDeadline(
  timeoutMs: number,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError")),
    timeoutMs,
  );
  // A deadline keeps no program running.
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

/** The body of an answer, which is there: a failure was thrown. */
export async function bodyOf<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (data === undefined) throw new Error(`the answer ${response.status} of ${response.url} has no body`);
  return data;
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  if (!response.headers.get("content-type")?.startsWith("application/problem+json")) return undefined;
  return (await response.json().catch(() => undefined)) as Problem | undefined;
}
