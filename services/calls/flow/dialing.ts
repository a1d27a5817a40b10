import { mayDial } from "../../../lib/calls/destinations.ts";
import { AppError } from "../../../lib/core/errors.ts";
import type { Line } from "../../../lib/db/index.ts";
import type { DailyCalls } from "../state/daily_calls.ts";

/** The platform's limits on calls and transfers that a business dials. A business's own limits replace them. */
export type DialDefaults = { allowedDestinations: readonly string[]; perDay: number };

export type DialRequest = { line: Line; to: string };

/**
 * Counts a call or a transfer against the business's limits.
 * @throws AppError "forbidden" for a destination that is not allowed, "rate_limited" once the day's calls are used up.
 */
export type AuthorizeDial = (request: DialRequest) => Promise<void>;

export function createDialAuthorization(defaults: DialDefaults, daily: DailyCalls): AuthorizeDial {
  return async ({ line, to }) => {
    if (!mayDial(line.allowed_destinations ?? defaults.allowedDestinations, { from: line.number, to })) {
      throw new AppError(
        "forbidden",
        `This business may not call ${to}. An administrator can change allowed_destinations in its call settings.`,
      );
    }
    const perDay = line.max_per_day ?? defaults.perDay;
    const { granted, resetMs } = await daily.take(line.business_id, perDay);
    if (!granted) {
      throw new AppError(
        "rate_limited",
        `The business has reached its limit of ${perDay} outbound calls per 24 hours.`,
        {
          retryAfterS: Math.ceil(resetMs / 1_000),
        },
      );
    }
  };
}
