import { isIP } from "node:net";
import type { Context } from "hono";
import { AppError } from "../../../../lib/core/errors.ts";
import { subscriberOf } from "../../../../lib/core/networks.ts";
import type { Networks } from "../../../../lib/core/networks.ts";
import { createWindowLimiter } from "../../../../lib/core/window_limiter.ts";
import type { Metrics } from "../../../../lib/runtime/metrics.ts";

const windowMs = 60_000;
/** Failed logins that one address may make per minute and replica. Each costs a query. */
export const maxFailedLogins = 60;

export type FailedLogins = {
  /** Throws "rate_limited" if the address has sent too many unknown credentials. */
  refuse(address: string | undefined): void;
  count(address: string | undefined): void;
};

/** Rate-limits unknown credentials by address. An unknown address has no limit. */
export function createFailedLogins(metrics: Metrics): FailedLogins {
  const windows = createWindowLimiter({ windowMs });
  const failed = metrics.counter("api_failed_logins_total", "Requests with an unknown key or console session.");
  const refused = metrics.counter(
    "api_failed_logins_refused_total",
    "Requests refused without a lookup because their address had sent too many unknown keys.",
  );
  return {
    refuse: (address) => {
      if (address === undefined) return;
      const { granted, resetMs } = windows.peek(address, maxFailedLogins);
      if (granted) return;
      refused.inc();
      throw new AppError(
        "rate_limited",
        "Too many requests with unknown keys came from this address. Check the key and retry later.",
        { retryAfterS: Math.min(Math.ceil(resetMs / 1_000), windowMs / 1_000) },
      );
    },
    count: (address) => {
      failed.inc();
      if (address !== undefined) windows.take(address, maxFailedLogins);
    },
  };
}

type Peer = { requestIP?: (request: Request) => { address: string } | null } | undefined;

/**
 * The address of the caller: X-Forwarded-For if the request comes from the edge's networks, otherwise the connection's
 * peer. Undefined without a connection.
 */
export function callerAddress(c: Context, edge: Networks): string | undefined {
  const peer = (c.env as Peer)?.requestIP?.(c.req.raw)?.address;
  if (peer === undefined) return undefined;
  // nginx sets the header to exactly one address.
  const forwarded = edge.includes(peer) ? c.req.header("x-forwarded-for")?.trim() : undefined;
  return forwarded !== undefined && isIP(forwarded) !== 0 ? forwarded : peer;
}

/** The key to rate-limit the caller by. */
export function callerSubscriber(c: Context, edge: Networks): string | undefined {
  const address = callerAddress(c, edge);
  return address === undefined ? undefined : subscriberOf(address);
}
