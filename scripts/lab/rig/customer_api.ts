/** A business and the key of its programs. */
export type Sender = { id: string; key: string };

/** Sends a request of a customer to the API; a text as the body is CSV. @throws if the answer is no success */
export type CustomerApi = <T = unknown>(method: string, path: string, body?: object | string) => Promise<T>;

/** The API at `baseUrl`, whose certificate may be one of the rig's own. */
export function customerApi(baseUrl: string, { id, key }: Sender): CustomerApi {
  return async <T>(method: string, path: string, body?: object | string): Promise<T> => {
    const csv = typeof body === "string";
    const response = await fetch(`${baseUrl}/v1/businesses/${id}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": csv ? "text/csv" : "application/json" },
      ...(body === undefined ? {} : { body: csv ? body : JSON.stringify(body) }),
      tls: { rejectUnauthorized: false },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
}

export type ApiRequest = { method: string; path: string; headers: Record<string, string>; body?: string };

/** The request that sends a text, under an Idempotency-Key of its own. */
export const messageRequest = ({ id, key }: Sender, to: string, text: string): ApiRequest & { body: string } => ({
  method: "POST",
  path: `/v1/businesses/${id}/messages`,
  headers: {
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
    "idempotency-key": crypto.randomUUID(),
  },
  body: JSON.stringify({ to, type: "text", text }),
});

export type RetryOptions = {
  /** A request without an answer by then is repeated. */
  timeoutMs: number;
  pauseMs: number;
  onFailure?: (failure: Response | Error) => void;
};

/** Repeats a request until the API decides on it: until the answer is neither 429 nor 5xx. */
export async function sendUntilDecided(
  baseUrl: string,
  { path, ...request }: ApiRequest,
  { timeoutMs, pauseMs, onFailure = () => {} }: RetryOptions,
): Promise<{ status: number; body: unknown }> {
  for (;;) {
    try {
      const response = await fetch(baseUrl + path, {
        ...request,
        tls: { rejectUnauthorized: false },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const body: unknown = await response.json();
      if (response.status < 500 && response.status !== 429) return { status: response.status, body };
      onFailure(response);
    } catch (error) {
      onFailure(error instanceof Error ? error : new Error(String(error)));
    }
    await Bun.sleep(pauseMs);
  }
}
