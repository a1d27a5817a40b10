import type { Change } from "./command.ts";
import type { Deadlines } from "./job_group.ts";
import { deleteVolumes, removeShards } from "./shards_down.ts";
import { readShards } from "./shards_now.ts";
import { planShards } from "./shards_plan.ts";
import type { ShardsWish } from "./shards_plan.ts";
import { addShards } from "./shards_up.ts";
import type { Target } from "./target.ts";

/** The number of shards. */
export async function changeShards(target: Target, wish: ShardsWish, deadlines: Deadlines): Promise<Change> {
  const now = await readShards(target, wish.count);
  const { lines, refusal } = planShards(now, wish);
  const fewer = wish.count < Math.max(now.count, now.numShards ?? 0);
  return {
    what: now.count === wish.count ? `shards: ${wish.count}` : `shards: ${now.count} → ${wish.count}`,
    plan: lines,
    refusal,
    apply: async (report) => {
      await (fewer ? removeShards : addShards)(target, wish.count, report, deadlines);
      if (wish.deleteVolume) await deleteVolumes(target, wish.count, report);
    },
    state: async () => {
      const { count, running, volumes, numShards, businesses } = await readShards(target, wish.count);
      const numbers = (indices: readonly number[]) => indices.map((index) => index + 1).toSorted((a, b) => a - b);
      return {
        shards: {
          count,
          running: numbers(running),
          volumes_of: numbers(volumes),
          num_shards: numShards,
          businesses: Object.fromEntries(businesses),
        },
      };
    },
  };
}
