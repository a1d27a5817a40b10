import { forBusiness, getMedia } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { describe } from "./describe.ts";

/** Looks into what was uploaded: pixels, playing time, a thumbnail. */
export function describeMediaJob({ db, media: deps }: Pick<Deps, "db" | "media">): Handler<"describe_media"> {
  return async ({ payload: { business_id, media_id } }) => {
    const scope = forBusiness(db, business_id);
    const media = await getMedia(scope, media_id);
    if (deps === null || media === undefined || media.described_at !== null) return { counts: { described: 0 } };
    await describe(scope, deps.store, media);
    return { counts: { described: 1 } };
  };
}
