import { hostname } from "node:os";
import { kvGet } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../lib/consul/lock.ts";
import type { HeldLock } from "../../lib/consul/lock.ts";
import { isConnectionRefused } from "../../lib/core/errors.ts";
import { deadline } from "../../lib/core/time.ts";
import { autoscalerLockKey, parseHolder } from "../../lib/scaling/index.ts";
import type { Holder } from "../../lib/scaling/index.ts";

/*
 *   standby ──the lock is free, or its holder is dead──▶ active ──another holds the lock──▶ standby
 *
 * A holder is dead if nothing listens at its address, or if it was an earlier process of this allocation. One that does
 * not answer, on a lost node or suspended, loses the lock when its session ends, at most 20 s later.
 */
export type LeaderOptions = {
  consul: ConsulClient;
  /** Where this process answers, from before it asks for the lock until it has released it. */
  url: string;
  allocation?: string | undefined;
  onLost: (holder: string) => void;
  onError: (error: unknown) => void;
};

/** Consul's least. */
const ttlS = 10;

/** Asks for the lock once; null while another process holds it. */
export async function tryToLead({ consul, url, allocation, ...told }: LeaderOptions): Promise<HeldLock | null> {
  const entry = await kvGet(consul, autoscalerLockKey);
  const session = entry?.session ?? null;
  if (session !== null && !(await isDead(parseHolder(entry!.value), allocation))) return null;
  const holder: Holder = {
    command: "autoscaler",
    host: hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
    url,
    ...(allocation === undefined ? {} : { allocation }),
  };
  try {
    const value = JSON.stringify(holder);
    return await holdLock({ consul, key: autoscalerLockKey, value, ttlS, previousSession: session, ...told });
  } catch (error) {
    if (error instanceof LockHeldElsewhere) return null;
    throw error;
  }
}

async function isDead(holder: Holder | null, allocation: string | undefined): Promise<boolean> {
  if (holder?.url === undefined) return false;
  if (allocation !== undefined && holder.allocation === allocation) return true;
  try {
    await fetch(`${holder.url}/health`, { signal: deadline(1_000) });
    return false;
  } catch (error) {
    return isConnectionRefused(error);
  }
}
