import { AppError } from "../../../lib/core/errors.ts";
import { limitsOf } from "../../../lib/contracts/shard/index.ts";
import type { ShardPacing } from "../../../lib/contracts/shard/index.ts";

/** A shard's side of pacing in memory: accounts that may send at once, and a record of those that were resumed. */
export type FakePacing = ShardPacing & {
  resumed: string[];
  /** While true, no shard can be reached. */
  away: boolean;
};

export function createFakePacing(): FakePacing {
  const fake: FakePacing = {
    resumed: [],
    away: false,
    view: async (_at, _businessId, settings) => {
      reach();
      const now = { next_at: null, next_first_contact_at: null };
      const state = { warmth: 1, ...now, broadcasts: now, first_contacts_today: 0, stops: [] };
      return { limits: limitsOf(settings, true), state };
    },
    resume: async (_at, businessId) => {
      reach();
      fake.resumed.push(businessId);
    },
  };
  const reach = () => {
    if (fake.away)
      throw new AppError("unavailable", "Shard 1 cannot be reached at present; try again shortly.", { retryAfterS: 2 });
  };
  return fake;
}
