import { AppError } from "../../../lib/core/errors.ts";
import { limitsOf } from "../../../lib/contracts/shard/index.ts";
import type { ShardPacing } from "../../../lib/contracts/shard/index.ts";

/** An in-memory pacing API of a shard. Accounts may send at once; records those whose stop was lifted. */
export type FakePacing = ShardPacing & {
  resumed: string[];
  /** While true, every shard is unreachable. */
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
    if (fake.away) throw new AppError("unavailable", "Shard 1 is unreachable. Retry shortly.", { retryAfterS: 2 });
  };
  return fake;
}
