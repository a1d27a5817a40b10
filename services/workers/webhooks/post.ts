import { deadline } from "../../../lib/core/time.ts";
import { AddressRefused } from "../../../lib/webhooks/address_policy.ts";
import type { AddressPolicy } from "../../../lib/webhooks/address_policy.ts";

/** More than this of an answer is not read: it is its status that counts. */
const maxAnswerBytes = 64 * 1024;

export type Answer = {
  ok: boolean;
  /** It asked not to be told anything any more. */
  gone: boolean;
  /** Null where there was no answer. */
  httpStatus: number | null;
  /** Fit for the endpoint's owner; null where all went well. */
  error: string | null;
  retryAfterMs?: number | undefined;
  ms: number;
};

export type Post = (headers: Record<string, string>, body: string) => Promise<Answer>;

/**
 * Opens an endpoint for some posts, which share connections among themselves and with nobody else. Its name is
 * resolved once; what is connected to is the address that was checked. Redirects are not followed, proxies not used.
 */
export function openEndpoint(url: string, policy: AddressPolicy, timeoutMs: number): { post: Post; close(): void } {
  const given = new URL(url);
  const session = new Bun.FetchSession({ proxy: false, keepAlive: { idleTimeout: 4 } });
  let address: Promise<string> | undefined;

  const exchange = async (headers: Record<string, string>, body: string): Promise<Omit<Answer, "ms">> => {
    const signal = deadline(timeoutMs);
    address ??= policy.resolve(given);
    const target = new URL(given);
    const checked = await Promise.race([address, aborted(signal)]);
    target.hostname = checked.includes(":") ? `[${checked}]` : checked;
    const response = await session.fetch(target, {
      method: "POST",
      headers: { ...headers, host: given.host, "content-type": "application/json", "user-agent": "ProSaaS-Webhooks/1" },
      body,
      redirect: "manual",
      decompress: false,
      // The certificate is the name's, though the connection is to the address.
      ...(given.protocol === "https:" && checked !== given.hostname ? { tls: { serverName: given.hostname } } : {}),
      signal,
    });
    await drain(response);
    return judge(response);
  };

  return {
    post: async (headers, body) => {
      const start = performance.now();
      const answer = await exchange(headers, body).catch((error: unknown) => noAnswer(error, timeoutMs));
      return { ...answer, ms: Math.round(performance.now() - start) };
    },
    close: () => session.close(),
  };
}

function judge({ status, headers }: Response): Omit<Answer, "ms"> {
  const ok = status >= 200 && status < 300;
  const redirect = status >= 300 && status < 400 ? " Redirects are not followed." : "";
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return {
    ok,
    gone: status === 410,
    httpStatus: status,
    error: ok ? null : `It answered ${status}.${redirect}`,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined,
  };
}

function noAnswer(error: unknown, timeoutMs: number): Omit<Answer, "ms"> {
  return { ok: false, gone: false, httpStatus: null, error: reasonOf(error, timeoutMs) };
}

/** The library's own words may tell of our network; these do not. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof AddressRefused) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError" || name === "AbortError") return `It did not answer within ${timeoutMs / 1_000} s.`;
  if (/CERT|TLS|SSL|ALTNAME|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code))
    return `Its certificate was not accepted (${code}).`;
  if (/ConnectionRefused|ECONNREFUSED/.test(code)) return "It refused the connection.";
  return `The connection failed${code === "" ? "" : ` (${code})`}.`;
}

/** Reads an answer to its end, so that its connection can be used again; of a long one only the beginning. */
async function drain({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  let left = maxAnswerBytes;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      left -= value.byteLength;
      if (left < 0) return await reader.cancel();
    }
  } catch {
    // The status is known, and what was cut off was of no interest.
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return promise;
}
