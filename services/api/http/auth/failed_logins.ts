import type { Context } from "hono";
import { AppError } from "../../../../lib/core/errors.ts";
import { subscriberOf } from "../../../../lib/core/networks.ts";
import type { Networks } from "../../../../lib/core/networks.ts";
import { createWindowLimiter } from "../../../../lib/core/window_limiter.ts";
import type { Metrics } from "../../../../lib/runtime/metrics.ts";

const windowMs = 60_000;
/** Unknown credentials of one address in a minute, at each replica: each costs a query. */
export const maxFailedLogins = 60;

export type FailedLogins = {
  /** Throws "rate_limited" where the address has sent too many unknown credentials. */
  refuse(address: string | undefined): void;
  count(address: string | undefined): void;
};

/** Counts unknown credentials by address. Where the address is not known there is no limit. */
export function createFailedLogins(metrics: Metrics): FailedLogins {
  const windows = createWindowLimiter({ windowMs });
  const failed = metrics.counter("api_failed_logins_total", "Requests with an unknown key or console session.");
  const refused = metrics.counter("api_failed_logins_refused_total", "Requests refused unread, because their address had sent too many unknown keys."); // prettier-ignore
  return {
    refuse: (address) => {
      if (address === undefined) return;
      const { granted, resetMs } = windows.peek(address, maxFailedLogins);
      if (granted) return;
      refused.inc();
      throw new AppError(
        "rate_limited",
        "Too many requests with unknown keys came from this address; check the key and retry later.",
        {
          retryAfterS: Math.min(Math.ceil(resetMs / 1_000), windowMs / 1_000),
        },
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
 * Whom to count a request for: the caller that the edge names in X-Forwarded-For, if the request comes from the edge's
 * networks; else the connection's peer. Undefined where there is no connection.
 */
export function callerAddress(c: Context, edge: Networks): string | undefined {
  const peer = (c.env as Peer)?.requestIP?.(c.req.raw)?.address;
  if (peer === undefined) return undefined;
  // nginx sets the header to the one address that it saw.
  const forwarded = edge.includes(peer) ? c.req.header("x-forwarded-for")?.trim() : undefined;
  return (forwarded === undefined ? undefined : subscriberOf(forwarded)) ?? subscriberOf(peer);
}
