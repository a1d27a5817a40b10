import { hostname } from "node:os";
import { z } from "zod";
import { kvGet } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../../lib/consul/lock.ts";
import type { HeldLock } from "../../../lib/consul/lock.ts";
import { sleep } from "../../../lib/core/time.ts";
import { createProgress, seconds } from "../../stack/progress.ts";
import { ScaleFailure } from "./failure.ts";

export const scaleLockKey = "prosaas/scale/lock";

/** Consul's shortest: the lock of a command whose machine died is free 20 s later. */
const ttlS = 10;
const pollMs = 300;

const holderSchema = z.object({ command: z.string(), host: z.string(), pid: z.int(), since: z.string() });
export type Holder = z.infer<typeof holderSchema>;

export type ScaleLockOptions = {
  consul: ConsulClient;
  /** What is being done, for whoever waits. */
  command: string;
  /** How long to wait for another command. */
  deadlineMs: number;
  /** Another took the lock over: nothing more may be changed. */
  onLost: (holder: string) => void;
};

/**
 * One command at a time changes the size of a cluster; the second one waits for the first and says so. A holder on
 * this host whose process is gone is succeeded at once.
 */
export async function takeScaleLock({ consul, command, deadlineMs, onLost }: ScaleLockOptions): Promise<HeldLock> {
  const progress = createProgress();
  const began = performance.now();
  const value = JSON.stringify({
    command,
    host: hostname(),
    pid: process.pid,
    since: new Date().toISOString(),
  } satisfies Holder);
  let told = false;
  for (;;) {
    const previousSession = await deadSession(consul);
    try {
      const lock = await holdLock({ consul, key: scaleLockKey, value, ttlS, previousSession, onLost });
      if (told) progress.done(`the lock is free after ${seconds(performance.now() - began)}`);
      return lock;
    } catch (error) {
      if (!(error instanceof LockHeldElsewhere)) throw error;
      const who = describe(readHolder(String(error.detail?.["holder"])));
      const elapsed = performance.now() - began;
      if (elapsed > deadlineMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${who} is still at work.`);
      if (!told) progress.done(`${who} is at work; waiting for it`);
      told = true;
      progress.waiting(`${seconds(elapsed)}  waiting for ${who}`);
      await sleep(pollMs);
    }
  }
}

/** The session of a holder that is known to be dead: it ran on this host, and its process is gone. */
async function deadSession(consul: ConsulClient): Promise<string | null> {
  const entry = await kvGet(consul, scaleLockKey);
  if (entry === null || entry.session === null) return null;
  const holder = readHolder(entry.value);
  return holder !== null && holder.host === hostname() && !isAlive(holder.pid) ? entry.session : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readHolder(value: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(value));
  } catch {
    return null;
  }
}

const describe = (holder: Holder | null) =>
  holder === null
    ? "another scale command"
    : `${holder.command} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`;
