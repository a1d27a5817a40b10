import { getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { fetchSession } from "../sessions/live_session.ts";
import type { ShardAccess } from "../sessions/live_session.ts";
import { liveSessionView } from "../sessions/view.ts";
import type { SnapshotSource } from "./stream.ts";

/**
 * Polls the session of a business for callers that may pair a phone. A QR code is a secret that expires after about 20
 * seconds, so it is never stored in the stream but fetched from the shard while a reader is connected.
 */
export function pairingSnapshots(access: ShardAccess, scope: BusinessScope): SnapshotSource {
  let last = "";
  return {
    everyMs: 2_000,
    read: async () => {
      const business = await getBusiness(scope).catch(() => undefined);
      const session = business && (await fetchSession(access, business).catch(() => undefined));
      if (!session) return null;
      const view = liveSessionView(session, true);
      const json = JSON.stringify(view);
      if (json === last) return null;
      last = json;
      return { event: "whatsapp.pairing", data: { business_id: scope.businessId, ...view } };
    },
  };
}
