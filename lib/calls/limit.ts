import { AppError, messageOf } from "../core/errors.ts";
import { kvPut, parseKv } from "../consul/client.ts";
import type { ConsulClient } from "../consul/client.ts";

/** Calls that may be in progress at once, over all replicas of the calls service, which follows it. */
export const callLimitKey = "prosaas/calls/max_concurrent";

export const maxCallLimit = 100_000;

/** A whole number from 0 to `maxCallLimit`; null for anything else. */
export function parseLimit(text: string): number | null {
  const trimmed = text.trim();
  return /^\d{1,6}$/.test(trimmed) && Number(trimmed) <= maxCallLimit ? Number(trimmed) : null;
}

/**
 * The limit as it was set; null where nobody did, and the service's first value counts. Throws "unavailable" where
 * Consul cannot be asked.
 */
export async function readCallLimit(consul: ConsulClient): Promise<number | null> {
  const answer = consul.blockingGet(`/v1/kv/${callLimitKey}`, { index: 0, waitS: 0 });
  const { body } = await answer.catch((error: unknown) => {
    throw new AppError("unavailable", `Consul does not tell the limit of calls: ${messageOf(error)}`, {
      cause: error,
      retryAfterS: 2,
    });
  });
  const entry = parseKv(body);
  return entry && parseLimit(entry.value);
}

/** Throws "unavailable" where Consul did not write it. */
export async function writeCallLimit(consul: ConsulClient, limit: number): Promise<void> {
  await kvPut(consul, callLimitKey, String(limit));
}
