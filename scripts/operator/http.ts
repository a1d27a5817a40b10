import { deadline } from "../../lib/core/time.ts";

export class HttpFailure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
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

/** A small JSON client; what is not 2xx is thrown with the problem's own sentence. */
export function createCaller({ baseUrl, token, ca, timeoutMs = 10_000 }: CallerOptions): Caller {
  return async <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(new URL(path, baseUrl), {
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
