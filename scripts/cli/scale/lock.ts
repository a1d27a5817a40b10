import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { kvGet } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../../lib/consul/lock.ts";
import type { HeldLock } from "../../../lib/consul/lock.ts";
import { sleep } from "../../../lib/core/time.ts";
import { parseHolder, scaleLockKey } from "../../../lib/scaling/index.ts";
import type { Holder } from "../../../lib/scaling/index.ts";
import { createProgress, seconds } from "../../stack/progress.ts";
import { ScaleFailure } from "./failure.ts";

/** Consul's shortest TTL: the lock of a command whose machine died is free after 20 s. */
const ttlS = 10;
const pollMs = 300;

const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
/** The process id namespace of this boot of this machine. */
const pidsHere = `${boot} ${readlinkSync("/proc/self/ns/pid")}`;

export type ScaleLockOptions = {
  consul: ConsulClient;
  /** The name of the command, for commands that wait. */
  command: string;
  /** Longest wait for another command. */
  deadlineMs: number;
  /** Another command took over the lock: this one must stop. */
  onLost: (holder: string) => void;
};

/**
 * Lets one command at a time change the cluster; a second one waits and logs for whom. A lock whose holder was a
 * process of this machine that has died is taken over at once.
 */
export async function takeScaleLock({ consul, command, deadlineMs, onLost }: ScaleLockOptions): Promise<HeldLock> {
  const progress = createProgress();
  const began = performance.now();
  const value = JSON.stringify({
    command,
    host: hostname(),
    pids: pidsHere,
    pid: process.pid,
    since: new Date().toISOString(),
  } satisfies Holder);
  let logged = false;
  for (;;) {
    const previousSession = await deadSession(consul);
    try {
      const lock = await holdLock({ consul, key: scaleLockKey, value, ttlS, previousSession, onLost });
      if (logged) progress.done(`the lock is free after ${seconds(performance.now() - began)}`);
      return lock;
    } catch (error) {
      if (!(error instanceof LockHeldElsewhere)) throw error;
      const who = describe(parseHolder(String(error.detail?.["holder"])));
      const elapsed = performance.now() - began;
      if (elapsed > deadlineMs) throw new ScaleFailure(`Gave up after ${seconds(elapsed)}: ${who} is still running.`);
      if (!logged) progress.done(`${who} is running; waiting for it`);
      logged = true;
      progress.waiting(`${seconds(elapsed)}  waiting for ${who}`);
      await sleep(pollMs);
    }
  }
}

/** The Consul session of a dead holder: it ran on this machine and its process is gone. */
async function deadSession(consul: ConsulClient): Promise<string | null> {
  const entry = await kvGet(consul, scaleLockKey);
  if (entry === null || entry.session === null) return null;
  const holder = parseHolder(entry.value);
  return holder !== null && holder.pids === pidsHere && !isAlive(holder.pid) ? entry.session : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const describe = (holder: Holder | null) =>
  holder === null
    ? "another scale command"
    : `${holder.command} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`;
