import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness } from "../../../../lib/db/index.ts";
import type { Business, BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";

/** Rounds of concurrent changes, after which the request fails. */
const maxRounds = 5;

/**
 * Hands the session the business's stored settings. Reads them again afterwards, because the settings of a concurrent
 * update may have reached the shard in another order: the last request to reach it leaves the stored ones there.
 */
export async function configureSession(
  { router, shards }: Pick<ApiDependencies, "router" | "shards">,
  scope: BusinessScope,
  updated: Business,
): Promise<void> {
  let current = updated;
  for (let round = 0; round < maxRounds; round++) {
    if (current.whatsapp_shard === null) return;
    const { receive_statuses: statuses } = current;
    await shards.configure(router.locate(current), current.id, { statuses });
    const stored = await getBusiness(scope);
    if (stored === undefined || stored.receive_statuses === statuses) return;
    current = stored;
  }
  throw new AppError("unavailable", "Other requests keep changing receive_statuses. Retry shortly.", {
    retryAfterS: 1,
  });
}
