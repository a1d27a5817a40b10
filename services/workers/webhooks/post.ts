import { deadline } from "../../../lib/core/time.ts";
import { AddressRefused } from "../../../lib/webhooks/address_policy.ts";
import type { AddressPolicy } from "../../../lib/webhooks/address_policy.ts";

/** Only this much of an answer is read, because its status decides. */
const maxAnswerBytes = 64 * 1024;

export type Answer = {
  ok: boolean;
  /** The endpoint answered 410 Gone: it wants no more deliveries. */
  gone: boolean;
  /** Null without an answer. */
  httpStatus: number | null;
  /** Shown to the endpoint's owner; null on success. */
  error: string | null;
  retryAfterMs?: number | undefined;
  ms: number;
};

export type Post = (headers: Record<string, string>, body: string) => Promise<Answer>;

/**
 * Opens an endpoint for a series of posts with a connection pool of its own. Resolves its name once and connects to the
 * address that the policy checked. Follows no redirects and uses no proxies.
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
      // The connection goes to the address; the certificate must match the name.
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

/** Replaces the library's message, which may reveal our network. */
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

/** Drains an answer so that its connection can be reused; cancels a long one. */
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
    // The status is known and the rest of the body does not matter.
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return promise;
}
