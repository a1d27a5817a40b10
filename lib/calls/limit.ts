import { AppError, messageOf } from "../core/errors.ts";
import { kvPut, parseKv } from "../consul/client.ts";
import type { ConsulClient } from "../consul/client.ts";

/** The Consul key with the limit of concurrent calls over all replicas. The calls service follows it. */
export const callLimitKey = "prosaas/calls/max_concurrent";

export const maxCallLimit = 100_000;

/** Parses a whole number from 0 to `maxCallLimit`; null for any other text. */
export function parseLimit(text: string): number | null {
  const trimmed = text.trim();
  return /^\d{1,6}$/.test(trimmed) && Number(trimmed) <= maxCallLimit ? Number(trimmed) : null;
}

/**
 * Reads the limit from Consul; null if it was never set, so that the calls service uses its own first value.
 * @throws AppError "unavailable" if Consul is unavailable.
 */
export async function readCallLimit(consul: ConsulClient): Promise<number | null> {
  const answer = consul.blockingGet(`/v1/kv/${callLimitKey}`, { index: 0, waitS: 0 });
  const { body } = await answer.catch((error: unknown) => {
    throw new AppError("unavailable", `Consul cannot return the call limit: ${messageOf(error)}`, {
      cause: error,
      retryAfterS: 2,
    });
  });
  const entry = parseKv(body);
  return entry && parseLimit(entry.value);
}

/** Sets the limit. @throws AppError "unavailable" if Consul did not write it. */
export async function writeCallLimit(consul: ConsulClient, limit: number): Promise<void> {
  await kvPut(consul, callLimitKey, String(limit));
}
