import { AppError } from "../../../../lib/core/errors.ts";
import type { Business } from "../../../../lib/db/index.ts";
import type { SessionView } from "../../../../lib/contracts/shard/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

export type ShardAccess = Pick<ApiDependencies, "router" | "shards">;

/**
 * Fetches the session of a business from its shard; undefined if it has none. Throws "unavailable" or
 * "upstream_timeout" if the shard is unreachable.
 */
export async function fetchSession(
  { router, shards }: ShardAccess,
  business: Pick<Business, "id" | "whatsapp_shard">,
): Promise<SessionView | undefined> {
  if (business.whatsapp_shard === null) return undefined;
  try {
    return await shards.view(router.locate(business), business.id);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  }
}

/** True if the shard was unreachable, so that stored state may stand in for its response. */
export function isShardUnreachable(error: unknown): boolean {
  return error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout");
}
