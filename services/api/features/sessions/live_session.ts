import { AppError } from "../../../../lib/core/errors.ts";
import type { Business } from "../../../../lib/db/index.ts";
import type { SessionView } from "../../../../lib/contracts/shard/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

export type ShardAccess = Pick<ApiDependencies, "router" | "shards">;

/**
 * What the shard of a business says of its login now; undefined if it has none. Throws "unavailable" or
 * "upstream_timeout" when the shard cannot be asked.
 */
export async function askShard(
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

/** Whether the shard merely could not be asked: what is known here may stand in for its answer. */
export function couldNotAsk(error: unknown): boolean {
  return error instanceof AppError && (error.code === "unavailable" || error.code === "upstream_timeout");
}
