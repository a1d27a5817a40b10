import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { SnapshotSource } from "./stream.ts";

/** Reports the registered shards and their addresses, which change by scaling and failures. Reads memory only. */
export function shardSnapshots(router: Pick<ApiDependencies["router"], "numShards" | "shards">): SnapshotSource {
  let last = "";
  return {
    everyMs: 1_000,
    read: () => {
      const data = {
        num_shards: router.numShards,
        shards: router.shards().map(({ shard, url }) => ({ shard, address: url })),
      };
      const json = JSON.stringify(data);
      if (json === last) return null;
      last = json;
      return { event: "shards.changed", data };
    },
  };
}
