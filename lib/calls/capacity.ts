import type { Redis } from "ioredis";
import { createScript } from "../redis/script.ts";
import type { Script } from "../redis/script.ts";
import { serverIdentity } from "../redis/server_identity.ts";
import admit from "./admit_call.lua" with { type: "text" };
import count from "./count_calls.lua" with { type: "text" };
import announce from "./note_server.lua" with { type: "text" };
import release from "./release_call.lua" with { type: "text" };
import renew from "./renew_calls.lua" with { type: "text" };

/*
 * Counts the calls in progress over all replicas in a sorted set of leases, one per call. A lease that is not renewed
 * expires, so a killed replica leaks no slot. Lua scripts take, renew and release leases by the clock of the Redis
 * server, so neither a replica's clock nor a race can push the count past the limit.
 *
 * A restarted Redis may have lost leases. It admits no new calls for `recoveryMs`, while the replicas reconnect and
 * admit the calls that they carry again.
 */

export type CallLimits = {
  /** Calls of all businesses together. */
  all: number;
  /** Calls of this business; null for no limit of its own. */
  business: number | null;
};

export type CallSlot = { callSid: string; businessId: string };

export type AdmissionOutcome = "admitted" | "renewed" | "full" | "business_full" | "recovering";

export type Admission = {
  outcome: AdmissionOutcome;
  /** Unix time in ms by the Redis server's clock. */
  nowMs: number;
};

export type AdmitOptions = CallSlot & {
  limits: CallLimits;
  /** True if the call was admitted before and is being carried. Such a call is admitted while the server recovers. */
  carried?: boolean;
  /** The reservation whose slot passes to the call; taken before the carrier assigned a sid. */
  reservation?: string | undefined;
};

export type CallCapacity = {
  /** Takes a slot, or renews the call's slot. */
  admit(options: AdmitOptions): Promise<Admission>;
  /** Renews the leases of carried calls. Returns the calls without a lease, which must be admitted again. */
  renew(slots: readonly CallSlot[]): Promise<string[]>;
  /** Releases a slot; false if the call had none. */
  release(slot: CallSlot): Promise<boolean>;
  /** Counts the calls in progress, of all businesses or of one. */
  count(businessId?: string): Promise<number>;
  /** Starts the recovery period of a new server. Returns the milliseconds that remain. */
  announce(): Promise<number>;
};

export type CallCapacityScripts = { admit: Script; renew: Script; release: Script; count: Script; announce: Script };

/** Builds the scripts. A test uses `edit` to replace Redis's TIME by its own clock. */
export function callCapacityScripts(edit: (lua: string) => string = (lua) => lua): CallCapacityScripts {
  const script = (lua: string) => createScript(edit(lua));
  return {
    admit: script(admit),
    renew: script(renew),
    release: script(release),
    count: script(count),
    announce: script(announce),
  };
}

export type CallCapacityOptions = {
  redis: Redis;
  /** Lifetime of a lease that is not renewed. */
  leaseMs: number;
  /** Longer than a replica takes to reconnect and to admit its calls again. */
  recoveryMs: number;
  /** The braces keep all keys in one hash slot of a Redis Cluster, as a script requires. */
  prefix?: string;
  scripts?: CallCapacityScripts;
  /** Returns the run_id of the server behind the connection. */
  identity?: () => Promise<string>;
};

const outcomes = new Map<number, AdmissionOutcome>([
  [2, "renewed"],
  [1, "admitted"],
  [0, "full"],
  [-1, "business_full"],
  [-2, "recovering"],
]);

export function createCallCapacity({
  redis,
  leaseMs,
  recoveryMs,
  prefix = "prosaas:{calls}",
  scripts = callCapacityScripts(),
  identity = serverIdentity(redis),
}: CallCapacityOptions): CallCapacity {
  const active = `${prefix}:active`;
  const activeOf = (businessId: string) => `${prefix}:active:${businessId}`;
  const server = `${prefix}:server`;

  const announce = async (runId: string) => (await scripts.announce(redis, [server], [runId, recoveryMs])) as number;

  const admit = async ({
    callSid,
    businessId,
    limits,
    carried = false,
    reservation = "",
  }: AdmitOptions): Promise<Admission> => {
    const runId = await identity();
    const keys = [active, server];
    const args: (string | number)[] = [callSid, leaseMs, limits.all, runId];
    // Omit optional arguments, which most calls do not have.
    if (limits.business !== null) keys.push(activeOf(businessId));
    if (limits.business !== null || carried || reservation !== "")
      args.push(limits.business ?? "", carried ? 1 : 0, reservation);
    const [code, nowMs] = (await scripts.admit(redis, keys, args)) as [number, number];
    const outcome = outcomes.get(code);
    if (outcome !== undefined) return { outcome, nowMs };
    await announce(runId);
    return admit({ callSid, businessId, limits, carried, reservation });
  };

  return {
    admit,
    renew: async (slots) => {
      if (slots.length === 0) return [];
      const keys = [active, ...slots.map((slot) => activeOf(slot.businessId))];
      return (await scripts.renew(redis, keys, [leaseMs, ...slots.map((slot) => slot.callSid)])) as string[];
    },
    release: async ({ callSid, businessId }) =>
      (await scripts.release(redis, [active, activeOf(businessId)], [callSid])) === 1,
    count: async (businessId) =>
      (await scripts.count(redis, [businessId === undefined ? active : activeOf(businessId)], [])) as number,
    announce: async () => announce(await identity()),
  };
}
