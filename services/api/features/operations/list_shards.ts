import type { z } from "@hono/zod-openapi";
import type { ShardAddress } from "../../../../lib/routing/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { shardSchema } from "./schemas.ts";

export type ShardStatus = z.infer<typeof shardSchema>;

/** The status of every expected or registered shard, queried concurrently. */
export function listShards({ router, shards }: Pick<ApiDependencies, "router" | "shards">): Promise<ShardStatus[]> {
  const registered = new Map(router.shards().map((address) => [address.shard, address]));
  const numbers = new Set(registered.keys());
  for (let shard = 1; shard <= router.numShards; shard++) numbers.add(shard);
  const ordered = [...numbers].toSorted((a, b) => a - b);
  return Promise.all(ordered.map((shard) => statusOf(shard, registered.get(shard), shards)));
}

async function statusOf(
  shard: number,
  at: ShardAddress | undefined,
  shards: ApiDependencies["shards"],
): Promise<ShardStatus> {
  const unreachable: ShardStatus = {
    shard,
    address: at?.url ?? null,
    healthy: false,
    sessions: null,
    sessions_open: null,
    sessions_connecting: null,
    messages_per_minute: null,
    version: null,
  };
  if (!at) return unreachable;
  try {
    const { data, messages_per_minute, version } = await shards.list(at);
    return {
      ...unreachable,
      healthy: true,
      sessions: data.length,
      sessions_open: data.filter((session) => session.status === "open").length,
      sessions_connecting: data.filter((session) => session.status === "connecting").length,
      messages_per_minute: messages_per_minute ?? null,
      version: version ?? null,
    };
  } catch {
    return unreachable;
  }
}
