import type { z } from "@hono/zod-openapi";
import type { Business, WhatsappSession } from "../../../../lib/db/index.ts";
import type { PasskeyView } from "../../../../lib/contracts/shard/index.ts";
import type { SessionStatus, SessionView } from "../../../../lib/contracts/shard/schemas.ts";
import type { Principal } from "../../http/auth/principal.ts";
import type { sessionSchema } from "./schemas.ts";

type View = z.infer<typeof sessionSchema>;

/** The session as its shard reports it. Only callers that may link a phone see codes and challenges. */
export function liveSessionView(session: SessionView, mayPair: boolean): View {
  return {
    status: session.status,
    shard: session.shard,
    phone: session.phone,
    name: session.name ?? null,
    paired: session.paired,
    ...(session.qr && mayPair ? { qr: session.qr } : {}),
    ...(session.qr_expires_at ? { qr_expires_at: new Date(session.qr_expires_at).toISOString() } : {}),
    ...(session.code && mayPair ? { code: session.code } : {}),
    ...(session.passkey ? { passkey: passkeyView(session.passkey, mayPair) } : {}),
    ...(session.stopped ? { stopped: true } : {}),
    reason: session.reason ?? null,
    ...(session.banned_until ? { banned_until: new Date(session.banned_until).toISOString() } : {}),
    since: new Date(session.since).toISOString(),
    live: true,
  };
}

function passkeyView(passkey: PasskeyView, mayPair: boolean): NonNullable<View["passkey"]> {
  const { step, options, code, expires_at, reason } = passkey;
  return {
    step,
    ...(options && mayPair ? { options } : {}),
    ...(code && mayPair ? { code } : {}),
    expires_at: new Date(expires_at).toISOString(),
    reason: reason ?? null,
  };
}

/** The session's egress proxy, which is the operator's: tenants do not see it. */
export function egressView({ egress }: SessionView, principal: Principal): Pick<View, "egress"> {
  if (!egress || principal.kind !== "admin") return {};
  const { checked_at } = egress;
  return { egress: { ...egress, checked_at: checked_at === null ? null : new Date(checked_at).toISOString() } };
}

/** The last state that the shard reported, as stored in the database. */
export function storedSessionView(session: WhatsappSession): View {
  return {
    status: session.status as SessionStatus,
    shard: session.shard,
    phone: session.phone,
    name: session.name,
    paired: session.paired,
    reason: session.reason,
    since: session.since.toISOString(),
    live: false,
  };
}

/** The view of a business that never connected, or that its shard does not know. */
export function absentSessionView(business: Business): View {
  return {
    status: "disconnected",
    shard: business.whatsapp_shard,
    phone: null,
    name: null,
    paired: false,
    reason: null,
    since: business.created_at.toISOString(),
    live: true,
  };
}
