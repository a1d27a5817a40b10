import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { kvGet } from "../../../lib/consul/client.ts";
import type { ConsulClient } from "../../../lib/consul/client.ts";
import { holdLock, LockHeldElsewhere } from "../../../lib/consul/lock.ts";
import type { HeldLock } from "../../../lib/consul/lock.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { ownerKey } from "../../../lib/routing/index.ts";
import type { Owner as OwnerAddress } from "../../../lib/routing/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Standby } from "./standby.ts";
import type { Volume } from "./volume.ts";

/** This process's claim on its shard number. */
export type Owner = {
  /**
   * Called before each write to a store and each batch.
   * @throws ShardLost once another process owns the shard, OwnershipUnconfirmed while one may.
   */
  fence(): void;
  /** Consul's LockIndex when the lock was acquired: a later owner has a higher one. */
  readonly token: number;
  readonly state: HeldLock["state"];
  readonly confirmedAt: HeldLock["confirmedAt"];
  release(): Promise<void>;
};

export type OwnerOptions = {
  consul: ConsulClient;
  volume: Volume;
  /** The address where this process will listen: routers use it while two instances claim the number. */
  listens: OwnerAddress;
  logger: Logger;
  /** Another process owns the shard: stop everything. */
  onLost: (holder: string) => void;
};

/** `token` is null until the lock was acquired once. */
const record = z.object({ session: z.string(), token: z.int().min(0).nullable() });

export class ShardLost extends AppError {
  constructor(shard: number) {
    super("unavailable", `Shard ${shard} is owned by another process now.`, { retryAfterS: 5 });
  }
}

/** This process was suspended: another one may own the shard until Consul confirms that none does. */
export class OwnershipUnconfirmed extends AppError {
  constructor(shard: number) {
    super("unavailable", `Shard ${shard} was suspended and waits for Consul to confirm its lock.`, { retryAfterS: 5 });
  }
}

/**
 * Acquires the shard's lock in Consul. The session that holds it is recorded on the volume: the next process on the
 * volume knows that its predecessor is dead, destroys that session and need not wait for Consul to invalidate it.
 *
 * @throws LockHeldElsewhere if another process owns the shard number on another volume.
 */
async function claimShard({ consul, volume, listens, logger, onLost }: OwnerOptions): Promise<Owner> {
  const path = volume.file("owner.json");
  const predecessor = readRecord(path, logger);
  let token = predecessor?.token ?? null;
  const note = (session: string) => {
    writeFileSync(`${path}.new`, `${JSON.stringify({ session, token } satisfies z.infer<typeof record>)}\n`, {
      flush: true,
    });
    renameSync(`${path}.new`, path);
  };
  const lock = await holdLock({
    consul,
    key: ownerKey(volume.shard),
    value: JSON.stringify({ ...listens, pid: process.pid, since: new Date().toISOString() }),
    previousSession: predecessor?.session ?? null,
    previousToken: token,
    onLost,
    onAsking: note,
    onHeld: (held) => {
      token = held.token;
      note(held.session);
    },
    onError: (error) => logger.warn({ error: messageOf(error) }, "Consul does not answer; the shard goes on"),
  });
  return {
    get token() {
      return lock.token;
    },
    get state() {
      return lock.state;
    },
    get confirmedAt() {
      return lock.confirmedAt;
    },
    fence: () => {
      const { state } = lock;
      if (state === "lost") throw new ShardLost(volume.shard);
      if (state === "frozen") throw new OwnershipUnconfirmed(volume.shard);
    },
    release: () => lock.release(),
  };
}

/** As {@link claimShard}, and stands by while another process owns the shard. */
export async function claimShardOnceFree(options: OwnerOptions, standby: Standby): Promise<Owner> {
  const { consul, volume } = options;
  for (;;) {
    try {
      return await claimShard(options);
    } catch (error) {
      if (!(error instanceof LockHeldElsewhere)) throw error;
    }
    await standby.until(async () => {
      const entry = await kvGet(consul, ownerKey(volume.shard));
      return entry?.session == null ? undefined : `shard ${volume.shard} is owned by another process: ${entry.value}`;
    });
  }
}

function readRecord(path: string, logger: Logger): z.infer<typeof record> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return record.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    logger.warn({ error: messageOf(error) }, "owner.json cannot be read: the predecessor's lock has to expire");
    return undefined;
  }
}
