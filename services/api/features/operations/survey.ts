import type { z } from "@hono/zod-openapi";
import type { ShardAddress } from "../../../../lib/routing/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { shardSchema } from "./schemas.ts";

export type ShardSurvey = z.infer<typeof shardSchema>;

/** Every shard that there is or should be: its address, and what it says of itself, all asked at once. */
export function surveyShards({ router, shards }: Pick<ApiDependencies, "router" | "shards">): Promise<ShardSurvey[]> {
  const known = new Map(router.shards().map((address) => [address.shard, address]));
  const numbers = new Set(known.keys());
  for (let shard = 1; shard <= router.numShards; shard++) numbers.add(shard);
  const ordered = [...numbers].toSorted((a, b) => a - b);
  return Promise.all(ordered.map((shard) => surveyShard(shard, known.get(shard), shards)));
}

async function surveyShard(
  shard: number,
  at: ShardAddress | undefined,
  shards: ApiDependencies["shards"],
): Promise<ShardSurvey> {
  const silent: ShardSurvey = {
    shard,
    address: at?.url ?? null,
    healthy: false,
    sessions: null,
    sessions_open: null,
    messages_per_minute: null,
    version: null,
  };
  if (!at) return silent;
  try {
    const { data, messages_per_minute, version } = await shards.list(at);
    return {
      ...silent,
      healthy: true,
      sessions: data.length,
      sessions_open: data.filter((session) => session.status === "open").length,
      messages_per_minute: messages_per_minute ?? null,
      version: version ?? null,
    };
  } catch {
    return silent;
  }
}
