import Consul from "consul";
import { AppError, messageOf } from "../core/errors.ts";

/** Seconds. Under Bun's and any proxy's own request limits; Consul adds up to a sixteenth of it as jitter. */
export const blockingWaitS = 60;

export type BlockingAnswer = { index: number; body: unknown };

export type ConsulClient = {
  /** Plain calls: sessions, registration, KV. */
  readonly api: Consul;
  /** `http://host:port` of the agent. */
  readonly url: string;
  /** One GET, blocking until the index passes `index` (0 = at once). A key that does not exist answers body `null`. */
  blockingGet(path: string, options: { index: number; waitS?: number; signal?: AbortSignal }): Promise<BlockingAnswer>;
};

export type ConsulOptions = {
  /** `host:port` or `http(s)://host:port`. */
  addr: string;
  token?: string | undefined;
  /** For an answer that Consul gives at once. A connection whose other end vanished would otherwise never fail. */
  timeoutMs?: number;
};

export function createConsul({ addr, token, timeoutMs = 10_000 }: ConsulOptions): ConsulClient {
  const base = new URL(addr.includes("://") ? addr : `http://${addr}`);
  const secure = base.protocol === "https:";
  const api = new Consul({
    host: base.hostname,
    port: Number(base.port || (secure ? 443 : 80)),
    secure,
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
      // Consul answers within wait + wait/16; what takes longer is a dead connection.
      const limit = AbortSignal.timeout(index > 0 ? ((waitS * 17) / 16) * 1000 + 5000 : timeoutMs);
      const response = await fetch(url, {
        headers,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        timeout: false,
      } as RequestInit);
      if (!response.ok && response.status !== 404) {
        const text = await response.text();
        throw new AppError(
          "unavailable",
          `Consul answered ${response.status} to ${url.pathname}: ${text.slice(0, 200)}`,
        );
      }
      const body: unknown = response.status === 404 ? (await response.text(), null) : await response.json();
      return { index: Number(response.headers.get("x-consul-index") ?? 0), body };
    },
  };
}

/** The value of a KV key; null where it does not exist. */
export async function kvGet(
  consul: ConsulClient,
  key: string,
): Promise<{ value: string; modifyIndex: number; lockIndex: number; session: string | null } | null> {
  const { body } = await consul.blockingGet(`/v1/kv/${key}`, { index: 0 });
  return parseKv(body);
}

/** Reads the body of GET /v1/kv/<key>. */
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

/** Writes a KV key; with `cas`, only if its ModifyIndex is still that (0 = only if it does not exist). False: not written. */
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
    // The package gives undefined where Consul answers false.
    return written ?? false;
  } catch (error) {
    throw new AppError("unavailable", `Consul did not write ${key}: ${messageOf(error)}`, { cause: error });
  }
}
