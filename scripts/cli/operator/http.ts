import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { deadline } from "../../../lib/core/time.ts";

export class HttpFailure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** No answer: nothing listens there, or the request timed out. */
export class NoAnswer extends Error {
  /** The system's error code, such as ECONNREFUSED. */
  readonly code: string | undefined;
  constructor(url: string | URL, cause: unknown) {
    const code = (cause as { code?: string } | null)?.code;
    const why = code === "ECONNREFUSED" ? "nothing listens there" : messageOf(cause).replace(/\.$/, "");
    super(`${new URL(url).origin} does not answer (${why}). Is the stack up? ./scripts/up brings it back.`, { cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** Awaits `request`. Bun's error of a failed connection does not name the peer. @throws NoAnswer, which does */
export async function answered<T>(url: string | URL, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw error instanceof AppError ? error : new NoAnswer(url, error);
  }
}

export type Caller = <T>(method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<T>;

export type CallerOptions = {
  baseUrl: string;
  token?: string;
  /** PEM of the certificate authority that the server's certificate is checked against. */
  ca?: string;
  /** Milliseconds a request may take. */
  timeoutMs?: number;
};

/** A small JSON client; throws any answer but 2xx with the problem's detail. */
export function createCaller({ baseUrl, token, ca, timeoutMs = 10_000 }: CallerOptions): Caller {
  return async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> => {
    const url = new URL(path, baseUrl);
    const request = fetch(url, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(ca === undefined ? {} : { tls: { ca } }),
      signal: deadline(timeoutMs),
    });
    const response = await answered(url, request);
    const text = await response.text();
    if (!response.ok) {
      let detail = text.slice(0, 300);
      try {
        detail = (JSON.parse(text) as { detail?: string }).detail ?? detail;
      } catch {}
      throw new HttpFailure(response.status, `${method} ${path} answered ${response.status}: ${detail}`);
    }
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
}
