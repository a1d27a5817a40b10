import { indexOfShardVolume, planVolumes, shardVolumes } from "../../stack/volumes.ts";
import type { VolumePlan } from "../../stack/volumes.ts";
import type { Change } from "./command.ts";
import { readJob } from "./job_group.ts";
import type { Deadlines } from "./job_group.ts";
import { deleteVolumes, removeShards } from "./shards_down.ts";
import { readShards, shardGroup } from "./shards_now.ts";
import { planShards } from "./shards_plan.ts";
import type { WantedShards } from "./shards_plan.ts";
import { addShards } from "./shards_up.ts";
import type { Target } from "./target.ts";

/** The node of each volume that the shards up to `count` lack. */
async function volumesOf(target: Target, count: number): Promise<VolumePlan> {
  const { NodePool = "default" } = await readJob(target, shardGroup.job);
  return planVolumes(target.agents.nomadAddr, shardVolumes(count).keys(), () => NodePool);
}

/** The number of shards. */
export async function changeShards(target: Target, wanted: WantedShards, deadlines: Deadlines): Promise<Change> {
  const now = await readShards(target, wanted.count);
  const volumes = await volumesOf(target, wanted.count);
  const placed = [...volumes].map(([name, { name: node }]) => ({ shard: indexOfShardVolume(name)! + 1, node }));
  const { lines, refusal } = planShards(now, wanted, placed);
  const fewer = wanted.count < Math.max(now.count, now.numShards ?? 0);
  return {
    what: now.count === wanted.count ? `shards: ${wanted.count}` : `shards: ${now.count} → ${wanted.count}`,
    plan: lines,
    details: { volumes: placed },
    refusal,
    apply: async (report) => {
      if (fewer) await removeShards(target, wanted, report, deadlines);
      else await addShards(target, { count: wanted.count, volumes }, report, deadlines);
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
