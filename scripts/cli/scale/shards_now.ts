import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { kvGet } from "../../../lib/consul/client.ts";
import { numShardsKey, ownerKey, shardService } from "../../../lib/routing/index.ts";
import { parseInstances } from "../../../lib/routing/directory.ts";
import { indexOfShardVolume, listVolumes } from "../../stack/volumes.ts";
import { indexOf, readCount, wantedAllocations } from "./job_group.ts";
import type { JobGroup } from "./job_group.ts";
import { readLimit } from "./live_limit.ts";
import type { ShardsNow } from "./shards_plan.ts";
import type { Target } from "./target.ts";

export const shardGroup: JobGroup = { job: "wa-shards", group: "shard" };

/** Businesses of each shard from the database, and journal entries from the shards. */
export const readAssignments = ({ api }: Target): Promise<Schemas["Assignments"]> =>
  bodyOf(api.GET("/v1/admin/assignments"));

/** The shards that pass their checks, by number. */
export async function passingShards({ consul }: Target): Promise<number[]> {
  const { body } = await consul.blockingGet(`/v1/health/service/${shardService}?passing=1`, { index: 0 });
  return parseInstances(body).map(({ shard }) => shard);
}

export async function isOwned({ consul }: Target, shard: number): Promise<boolean> {
  return (await kvGet(consul, ownerKey(shard)))?.session != null;
}

/** Queries the businesses only if there are shards above `keep`, so that growing works without the API. */
export async function readShards(target: Target, keep: number): Promise<ShardsNow> {
  const count = await readCount(target, shardGroup);
  const numShards = (await readLimit(target, numShardsKey)).value;
  const wanted = await wantedAllocations(target, shardGroup);
  const passing = await passingShards(target);
  const volumes = (await listVolumes(target.agents.nomadAddr)).flatMap(({ Name }) => indexOfShardVolume(Name) ?? []);
  const owned: number[] = [];
  for (let shard = 1; shard <= count; shard++) if (await isOwned(target, shard)) owned.push(shard);
  const { data } =
    keep < Math.max(count, numShards ?? 0, ...volumes.map((index) => index + 1))
      ? await readAssignments(target)
      : { data: [] };
  return {
    count,
    wanted: wanted.map(indexOf),
    running: wanted.filter((one) => one.ClientStatus === "running" && passing.includes(indexOf(one) + 1)).map(indexOf),
    volumes,
    numShards,
    owned,
    businesses: new Map(data.map(({ shard, businesses }) => [shard, businesses])),
  };
}
