import type { SessionStatus, SessionView } from "../../../lib/contracts/shard/schemas.ts";
import type { ProxyHealth } from "../../../lib/egress/index.ts";
import type { Identity } from "./identity.ts";
import { passkeyViewOf } from "./passkey/progress.ts";
import type { State } from "./states.ts";

/** The status that the outside sees: pairing shows as the kind of its code, waiting as connecting. */
export function statusOf(state: State): SessionStatus {
  if (state.is === "pairing") return state.show;
  return state.is === "waiting" ? "connecting" : state.is;
}

export const reasonOf = (state: State): string | undefined => ("reason" in state ? state.reason : undefined);

type Session = {
  businessId: string;
  shard: number;
  state: State;
  status: SessionStatus;
  identity: Identity;
  paired: boolean;
  /** Unix ms. */
  since: number;
  queueDepth: number;
  lastInboundAt: number | undefined;
  egress: ProxyHealth | undefined;
};

export function viewOf(session: Session): SessionView {
  const { state, lastInboundAt } = session;
  const isCutOff = session.egress?.healthy === false && (state.is === "connecting" || state.is === "waiting");
  // Its address and error are the operator's: a reason is shown to the tenant.
  const reason = isCutOff ? "the egress proxy does not work" : reasonOf(state);
  return {
    business_id: session.businessId,
    shard: session.shard,
    status: session.status,
    ...session.identity,
    paired: session.paired,
    since: new Date(session.since).toISOString(),
    queue_depth: session.queueDepth,
    last_inbound_at: lastInboundAt === undefined ? null : new Date(lastInboundAt).toISOString(),
    ...(reason === undefined ? {} : { reason }),
    ...(session.egress === undefined ? {} : { egress: egressView(session.egress) }),
    ...(state.is === "disconnected" && state.stopped ? { stopped: true } : {}),
    ...(state.is === "banned" ? { banned_until: new Date(state.until).toISOString() } : {}),
    ...(state.is === "pairing" && state.show === "qr"
      ? { qr: state.value, qr_expires_at: new Date(state.expiresAt).toISOString() }
      : {}),
    ...(state.is === "pairing" && state.show === "code" ? { code: state.value } : {}),
    ...(state.is === "passkey" ? { passkey: passkeyViewOf(state.progress) } : {}),
  };
}

function egressView({ proxy, healthy, checkedAt, error }: ProxyHealth): NonNullable<SessionView["egress"]> {
  return { proxy, healthy, checked_at: checkedAt === null ? null : new Date(checkedAt).toISOString(), error };
}
