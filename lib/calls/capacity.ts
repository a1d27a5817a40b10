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
 * How many calls are in progress, over all replicas: a sorted set of leases, one a call. A slot whose lease is not
 * renewed frees itself, so a killed replica leaks none; a lease is taken, renewed and dropped in one script by the
 * time of the Redis server, so no replica's clock and no interleaving can make the count exceed the limit.
 *
 * A Redis that restarted may have forgotten leases. It admits nobody new for `recoveryMs`; meanwhile the replicas,
 * which ask again as soon as they are connected, bring back the calls they carry.
 */

export type CallLimits = {
  /** Calls of all businesses together. */
  all: number;
  /** Calls of this one; null for no limit of its own. */
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
  /** The call was admitted before and is being carried: let it back in while the server recovers. */
  carried?: boolean;
  /** A slot that was taken before the call had its name, and passes to it. */
  reservation?: string | undefined;
};

export type CallCapacity = {
  /** Takes a slot, or renews the one the call has. */
  admit(options: AdmitOptions): Promise<Admission>;
  /** Renews the leases of carried calls in one step; gives those that had none, which have to be admitted again. */
  renew(slots: readonly CallSlot[]): Promise<string[]>;
  /** Gives a slot back; false where there was none. */
  release(slot: CallSlot): Promise<boolean>;
  /** Calls in progress: of all businesses, or of one that has a limit. */
  count(businessId?: string): Promise<number>;
  /** Starts the recovery of a server that is new; gives the ms that are left of it. */
  announce(): Promise<number>;
};

export type CallCapacityScripts = { admit: Script; renew: Script; release: Script; count: Script; announce: Script };

/** The scripts; `edit` gives a test the chance to put its own clock in the place of TIME. */
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
  /** How long a slot is kept for a call that nobody renews. */
  leaseMs: number;
  /** Above the longest time in which a replica reconnects and brings its calls back. */
  recoveryMs: number;
  /** The braces keep all keys in one slot of a Redis Cluster, which a script demands. */
  prefix?: string;
  scripts?: CallCapacityScripts;
  /** run_id of the server behind the connection. */
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
    // What is left out is not sent: most calls have nothing of it.
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
