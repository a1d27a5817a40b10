import { forBusiness, nextUndescribed } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { describe } from "./describe.ts";
import { decoderBusy, takeFileTurn } from "./file_turn.ts";

/** Describes media of a business that have no description yet. */
export function describeMediaJob(deps: Deps): Handler<"describe_media"> {
  return async (run) => {
    const counts = { described: 0 };
    const { media } = deps;
    if (media === null) return { counts };
    const scope = forBusiness(deps.db, run.payload.business_id);
    return takeFileTurn(deps, "describe_media", run, {
      counts,
      claim: async () => {
        const work = await nextUndescribed(scope);
        return work && { work };
      },
      handle: async (undescribed) => {
        const described = await describe(media, scope, undescribed, run.signal);
        // Undefined: it was deleted before its turn.
        if (described?.described_at === null) return decoderBusy;
        counts.described += described === undefined ? 0 : 1;
        return undefined;
      },
    });
  };
}
