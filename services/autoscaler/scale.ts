import { hostname } from "node:os";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../lib/consul/lock.ts";
import { metaOf, nameOf, parseHolder, scaleLockKey } from "../../lib/scaling/index.ts";
import type { Holder } from "../../lib/scaling/index.ts";
import { NomadFailure } from "./nomad.ts";
import type { Nomad } from "./nomad.ts";

export type Change = {
  job: string;
  group: string;
  count: number;
  reason: string;
  /** The job's index at the decision. Nomad refuses the change if the job has another one: this is the fence. */
  modifyIndex: number;
};

export type ScaleDeps = {
  nomad: Nomad;
  consul: ConsulClient;
  /** Of the autoscaler's lock; undefined unless Consul confirms that this process holds it. */
  token: () => Promise<number | undefined>;
};

/** Why a count could not be set now; the next round decides again. */
export type Obstacle = string;

/**
 * Sets a count. Nomad compares the job's index, so that an autoscaler that was suspended after its decision, and a
 * command that came in between, do not undo each other's changes. Null if it was set.
 */
export async function setCount({ nomad, consul, token }: ScaleDeps, change: Change): Promise<Obstacle | null> {
  const lock = await takeScaleLock(consul);
  if (typeof lock === "string") return `${lock} is running`;
  try {
    // Now, because another one may have taken over while this process waited for the lock.
    const confirmed = await token();
    if (confirmed === undefined) return "Consul does not confirm that this autoscaler is the active one";
    await nomad("POST", `/v1/job/${change.job}/scale`, {
      Target: { Group: change.group },
      Count: change.count,
      Message: `autoscaler: ${nameOf(change)} to ${change.count}: ${change.reason}`,
      Meta: metaOf(confirmed),
      JobModifyIndex: change.modifyIndex,
    });
    return null;
  } catch (error) {
    const obstacle = error instanceof NomadFailure ? obstacleOf(error) : null;
    if (obstacle === null) throw error;
    return obstacle;
  } finally {
    await lock.release();
  }
}

function obstacleOf({ message }: NomadFailure): Obstacle | null {
  if (message.includes("active deployment")) return "a deployment is running";
  if (message.includes("conflicting job modify index")) return "the job changed since the decision";
  return null;
}

/** Takes the lock of commands that change the cluster. A text names the command that holds it. */
async function takeScaleLock(consul: ConsulClient) {
  const value = { command: "autoscaler", host: hostname(), pid: process.pid, since: new Date().toISOString() };
  try {
    return await holdLock({
      consul,
      key: scaleLockKey,
      value: JSON.stringify(value satisfies Holder),
      ttlS: 10, // Consul's least: a crash blocks commands for no more than 20 s
      onLost: () => {},
    });
  } catch (error) {
    if (!(error instanceof LockHeldElsewhere)) throw error;
    return parseHolder(String(error.detail?.["holder"]))?.command ?? "another command";
  }
}
