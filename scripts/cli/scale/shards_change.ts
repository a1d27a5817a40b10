import type { Change } from "./command.ts";
import type { Deadlines } from "./job_group.ts";
import { deleteVolumes, removeShards } from "./shards_down.ts";
import { readShards } from "./shards_now.ts";
import { planShards } from "./shards_plan.ts";
import type { WantedShards } from "./shards_plan.ts";
import { addShards } from "./shards_up.ts";
import type { Target } from "./target.ts";

/** The number of shards. */
export async function changeShards(target: Target, wanted: WantedShards, deadlines: Deadlines): Promise<Change> {
  const now = await readShards(target, wanted.count);
  const { lines, refusal } = planShards(now, wanted);
  const fewer = wanted.count < Math.max(now.count, now.numShards ?? 0);
  return {
    what: now.count === wanted.count ? `shards: ${wanted.count}` : `shards: ${now.count} → ${wanted.count}`,
    plan: lines,
    refusal,
    apply: async (report) => {
      await (fewer ? removeShards : addShards)(target, wanted.count, report, deadlines);
      if (wanted.deleteVolume) await deleteVolumes(target, wanted.count, report);
    },
    state: async () => {
      const { count, running, volumes, numShards, businesses } = await readShards(target, wanted.count);
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
