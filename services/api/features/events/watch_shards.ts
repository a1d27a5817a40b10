import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { Watch } from "./tell.ts";

/** Watches which shards there are, and where: what scaling and deaths change. Costs no request: the router knows. */
export function watchShards(router: Pick<ApiDependencies["router"], "numShards" | "shards">): Watch {
  let last = "";
  return {
    everyMs: 1_000,
    look: () => {
      const data = {
        num_shards: router.numShards,
        shards: router.shards().map(({ shard, url }) => ({ shard, address: url })),
      };
      const shown = JSON.stringify(data);
      if (shown === last) return null;
      last = shown;
      return { event: "shards.changed", data };
    },
  };
}
