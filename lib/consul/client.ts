import { Agent } from "node:https";
import Consul from "consul";
import { AppError, messageOf } from "../core/errors.ts";

/** Seconds. Below the request timeouts of Bun and of proxies. Consul adds up to a sixteenth as jitter. */
const blockingWaitS = 60;

export type BlockingAnswer = {
  index: number;
  body: unknown;
  /** Milliseconds since the server that answered heard from its leader; only of a query that did not block. */
  leaderSeenMs?: number;
};

export type ConsulClient = {
  /** Non-blocking calls: sessions, registration, KV. */
  readonly api: Consul;
  /** `http://host:port` of the agent. */
  readonly url: string;
  /**
   * Sends one GET and blocks until the index passes `index`; with 0 it does not block.
   * A missing key yields the body `null`.
   */
  blockingGet(path: string, options: { index: number; waitS?: number; signal?: AbortSignal }): Promise<BlockingAnswer>;
};

export type ConsulOptions = {
  /** `host:port` or `http(s)://host:port`. */
  addr: string;
  token?: string | undefined;
  /** PEM of the authority of the agent's certificate, if it is none of the system's. */
  ca?: string | undefined;
  /** Timeout of a non-blocking request. Without it a half-open connection would never fail. */
  timeoutMs?: number;
};

export function createConsul({ addr, token, ca, timeoutMs = 10_000 }: ConsulOptions): ConsulClient {
  const base = new URL(addr.includes("://") ? addr : `http://${addr}`);
  const secure = base.protocol === "https:";
  const api = new Consul({
    host: base.hostname,
    port: Number(base.port || (secure ? 443 : 80)),
    secure,
    ...(ca === undefined ? {} : { agent: new Agent({ ca, keepAlive: true }) }),
    defaults: { timeout: timeoutMs, ...(token === undefined ? {} : { token }) } as object,
  });
  const headers: Record<string, string> = token === undefined ? {} : { "x-consul-token": token };

  return {
    api,
    url: base.origin,
    blockingGet: async (path, { index, waitS = blockingWaitS, signal }) => {
      const url = new URL(path, base);
      if (index > 0) {
        url.searchParams.set("index", String(index));
        url.searchParams.set("wait", `${waitS}s`);
      }
      // Consul answers within wait + wait/16. A request that takes longer runs over a dead connection.
      const limit = AbortSignal.timeout(index > 0 ? ((waitS * 17) / 16) * 1000 + 5000 : timeoutMs);
      const response = await fetch(url, {
        headers,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        timeout: false,
        ...(ca === undefined ? {} : { tls: { ca } }),
      } as RequestInit);
      if (!response.ok && response.status !== 404) {
        const text = await response.text();
        throw new AppError(
          "unavailable",
          `Consul answered ${response.status} to ${url.pathname}: ${text.slice(0, 200)}`,
        );
      }
      const body: unknown = response.status === 404 ? (await response.text(), null) : await response.json();
      const numberIn = (header: string) => Number(response.headers.get(header) ?? 0);
      return { index: numberIn("x-consul-index"), body, leaderSeenMs: numberIn("x-consul-lastcontact") };
    },
  };
}

/** Reads a KV key; null if it does not exist. */
export async function kvGet(
  consul: ConsulClient,
  key: string,
): Promise<{ value: string; modifyIndex: number; lockIndex: number; session: string | null } | null> {
  const { body } = await consul.blockingGet(`/v1/kv/${key}`, { index: 0 });
  return parseKv(body);
}

/** Parses the body of `GET /v1/kv/<key>`. */
export function parseKv(
  body: unknown,
): { value: string; modifyIndex: number; lockIndex: number; session: string | null } | null {
  if (!Array.isArray(body) || body.length === 0) return null;
  const [entry] = body as { Value: string | null; ModifyIndex: number; LockIndex: number; Session?: string }[];
  if (!entry) return null;
  return {
    value: entry.Value === null ? "" : Buffer.from(entry.Value, "base64").toString("utf8"),
    modifyIndex: entry.ModifyIndex,
    lockIndex: entry.LockIndex,
    session: entry.Session ?? null,
  };
}

/**
 * Writes a KV key and returns whether it was written. `cas` makes it a check-and-set: Consul writes only if the key
 * still has this ModifyIndex, or with 0 only if the key does not exist.
 */
export async function kvPut(
  consul: ConsulClient,
  key: string,
  value: string,
  options: { cas?: number } = {},
): Promise<boolean> {
  try {
    const written: boolean | undefined = await consul.api.kv.set({
      key,
      value,
      ...(options.cas === undefined ? {} : { cas: options.cas }),
    });
    // The package returns undefined when Consul answers false.
    return written ?? false;
  } catch (error) {
    throw new AppError("unavailable", `Consul did not write ${key}: ${messageOf(error)}`, { cause: error });
  }
}
