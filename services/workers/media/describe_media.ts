import { forBusiness, getMedia } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { describe } from "./describe.ts";

/** Describes uploaded media; the sweep retries what the decoder had no slot for. */
export function describeMediaJob({ db, media: deps }: Pick<Deps, "db" | "media">): Handler<"describe_media"> {
  return async ({ payload: { business_id, media_id }, signal }) => {
    const scope = forBusiness(db, business_id);
    const media = await getMedia(scope, media_id);
    if (deps === null || media === undefined || media.described_at !== null) return { counts: { described: 0 } };
    const described = await describe(deps, scope, media, signal);
    return { counts: { described: described?.described_at ? 1 : 0 } };
  };
}
