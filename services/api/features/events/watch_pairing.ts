import { getBusiness } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { askShard } from "../sessions/live_session.ts";
import type { ShardAccess } from "../sessions/live_session.ts";
import { liveSession } from "../sessions/schemas.ts";
import type { Watch } from "./tell.ts";

/**
 * Watches a business's login for whoever may pair a phone: a QR lives for some twenty seconds, is a secret, and so is
 * in no stream, but asked of the shard while somebody looks.
 */
export function watchPairing(access: ShardAccess, scope: BusinessScope): Watch {
  let last = "";
  return {
    everyMs: 2_000,
    look: async () => {
      const business = await getBusiness(scope).catch(() => undefined);
      const view = business && (await askShard(access, business).catch(() => undefined));
      if (!view) return null;
      const session = liveSession(view, true);
      const shown = JSON.stringify(session);
      if (shown === last) return null;
      last = shown;
      return { event: "whatsapp.pairing", data: { business_id: scope.businessId, ...session } };
    },
  };
}
