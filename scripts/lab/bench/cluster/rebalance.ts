import { planRebalance } from "../../../cli/scale/moves.ts";
import type { ControlPlane } from "./control_plane.ts";

/** Most moves that one request to the API may plan. */
const max = 1_000;
/** A shard of 1,000 sessions is full; `task rebalance` has the same default. */
const maxSessions = 1_000;
const rounds = 5;

/**
 * Seconds of the plan that `task rebalance` prints, the slowest of several rounds: Postgres holds `businesses` linked
 * businesses, and a fifth of the shards is new and empty.
 */
export async function measureRebalancePlan(
  { api, platform: { owner } }: Pick<ControlPlane, "api" | "platform">,
  { businesses, shards }: { businesses: number; shards: number },
): Promise<{ seconds: number; planned: number }> {
  const filled = Math.max(1, Math.ceil((shards * 4) / 5));
  await owner`
    with made as (
      insert into businesses (id, name, time_zone, whatsapp_shard)
      select gen_random_uuid(), 'bench:cluster', 'UTC', 1 + n % ${filled}::integer
      from generate_series(1, ${businesses}::integer) n
      returning id, whatsapp_shard
    )
    insert into whatsapp_sessions (business_id, shard, status, paired, since, observed_at)
    select id, whatsapp_shard, 'open', true, now(), now() from made`;
  await owner`analyze businesses, whatsapp_sessions`;
  const took: number[] = [];
  let planned = 0;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    planned = (await planRebalance({ api }, { max, max_sessions: maxSessions })).planned.length;
    took.push((performance.now() - began) / 1000);
  }
  if (planned === 0) throw new Error("the plan moves no business, although a fifth of the shards is empty");
  return { seconds: Math.max(...took), planned };
}
