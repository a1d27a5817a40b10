import { AppError } from "../../../lib/core/errors.ts";
import type { ConnectRequest, PasskeyStep, SessionList, SessionView } from "../../../lib/contracts/shard/index.ts";
import type { ApiDependencies } from "../backend/dependencies.ts";

/** In-memory shards with the sessions that a test puts there. Records requests. */
export type FakeShards = ApiDependencies["shards"] & {
  sessions: Map<string, SessionView>;
  calls: string[];
  /** The bodies of the connects. */
  connects: ConnectRequest[];
  /** While true, every shard is unreachable. */
  away: boolean;
};

export function createFakeShards(): FakeShards {
  const fake: FakeShards = {
    sessions: new Map(),
    calls: [],
    connects: [],
    away: false,
    connect: async (at, businessId, request) => {
      ask(`connect ${request.method}`);
      fake.connects.push(request);
      const view = sessionOf(businessId, {
        shard: at.shard,
        status: request.method,
        ...(request.method === "qr" ? { qr: "2@qr-text" } : { code: "ABCD1234" }),
      });
      fake.sessions.set(businessId, view);
      return view;
    },
    view: async (_at, businessId) => {
      ask("view");
      return known(businessId);
    },
    assertPasskey: async (_at, businessId, { id }) => {
      ask(`assert ${id}`);
      const { options: _options, ...passkey } = expect(businessId, "assertion");
      const view = { ...known(businessId), passkey: { ...passkey, step: "phone" as const } };
      fake.sessions.set(businessId, view);
      return view;
    },
    confirmPasskey: async (_at, businessId, code) => {
      ask(`confirm ${code}`);
      const { code: _code, ...passkey } = expect(businessId, "confirmation");
      const view = { ...known(businessId), passkey: { ...passkey, step: "linking" as const } };
      fake.sessions.set(businessId, view);
      return view;
    },
    configure: async (_at, _businessId, { statuses }) => ask(`configure statuses ${statuses}`),
    control: async (_at, businessId, action) => {
      ask(action);
      const view = sessionOf(businessId, {
        ...known(businessId),
        ...(action === "stop" ? { status: "disconnected", stopped: true, reason: "stopped on request" } : {}),
        ...(action === "stop" ? {} : { status: "connecting", stopped: null }),
      });
      fake.sessions.set(businessId, view);
      return view;
    },
    list: async (at): Promise<SessionList> => {
      ask("list");
      return {
        data: [...fake.sessions.values()].filter((session) => session.shard === at.shard),
        messages_per_minute: 12,
        version: "1.2.3",
      };
    },
    logout: async (_at, businessId) => {
      ask("logout");
      fake.sessions.delete(businessId);
    },
  };
  const ask = (what: string) => {
    fake.calls.push(what);
    if (fake.away) throw new AppError("unavailable", "Shard 1 is unreachable. Retry shortly.", { retryAfterS: 2 });
  };
  const expect = (businessId: string, step: PasskeyStep) => {
    const { passkey } = known(businessId);
    if (passkey?.step !== step) throw new AppError("conflict", "The session waits for no passkey.");
    return passkey;
  };
  const known = (businessId: string) => {
    const session = fake.sessions.get(businessId);
    if (!session) throw new AppError("not_found", "There is no such session.");
    return session;
  };
  return fake;
}

/** A session as a shard reports it; by default open and paired. */
export function sessionOf(businessId: string, changes: Partial<SessionView> = {}): SessionView {
  const status = changes.status ?? "open";
  return {
    business_id: businessId,
    shard: 1,
    status,
    phone: status === "open" ? "5511900000001" : null,
    since: "2026-03-01T12:00:00.000Z",
    paired: status === "open",
    queue_depth: 0,
    last_inbound_at: null,
    ...changes,
  };
}
