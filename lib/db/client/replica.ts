import { AppError, messageOf } from "../../core/errors.ts";
import { sharedNow, sleep } from "../../core/time.ts";
import { createDatabase } from "./client.ts";
import type { Database, Waits } from "./client.ts";
import { sql } from "./literal.ts";
import { forNobody } from "../scope.ts";

/*
 * A replica answers what is older than it can be behind, and nothing else: so a caller finds what it wrote, through
 * whichever process, without anybody remembering who wrote what. A read of rows up to a moment goes to the replica if
 * that moment lies further back than the longest lag that is allowed, and the replica is known not to lag more.
 */

export type Replica = {
  /**
   * Runs a read that concerns only what was there at `upTo`: on the replica where that may answer, else on the
   * primary; and on the primary after all if the replica fails in the middle.
   */
  history<T>(upTo: Date, read: (db: Database) => Promise<T>): Promise<T>;
  /** How far behind the replica is at most, in ms; null before it was seen up to date. */
  lagMs(): number | null;
  close(): Promise<void>;
};

export type ReplicaOptions = {
  primary: Database;
  /** DATABASE_URL_READ. */
  url: string;
  poolSize: number;
  applicationName: string;
  /** A replica that lags more is not asked. */
  maxLagMs?: number;
  /** Between two looks at the lag. */
  everyMs?: number;
  /** Called when the replica is used again, or not any more and why. */
  onChange?: (change: { used: boolean; why: string }) => void;
  /** Called for each read of history, with who is asked. */
  onRead?: (server: "primary" | "replica") => void;
};

/** Without a replica: every read goes to the primary. */
export function noReplica(primary: Database): Replica {
  return { history: (_, read) => read(primary), lagMs: () => null, close: async () => {} };
}

type Sample = { at: number; lsn: bigint };

/** Short: a read that the replica does not answer still has to be answered by the primary. */
const replicaWaits: Waits = { acquireMs: 1_000, answerMs: 2_000 };

/** Clocks of different machines, and rows whose ids are older than their commits. */
const marginMs = 5_000;

/**
 * A replica whose lag is watched by positions in the write-ahead log: it is as far behind as the time since the primary
 * was where the replica is now. That holds while the primary is idle, while replay is paused, and while the replica
 * hears nothing from the primary, in which the replica's own clock deceives.
 */
export function createReplica({
  primary,
  url,
  poolSize,
  applicationName,
  maxLagMs = 5_000,
  everyMs = 1_000,
  onChange = () => {},
  onRead = () => {},
}: ReplicaOptions): Replica {
  const db = createDatabase({ url, poolSize, applicationName, waits: replicaWaits });
  const samples: Sample[] = [];
  /** When the replica was last known to have everything. */
  let upToDateAt: number | undefined;
  /** A read failed, and no look has succeeded since. */
  let suspect = false;
  let used = false;
  const over = new AbortController();

  const lagMs = () => (upToDateAt === undefined ? null : performance.now() - upToDateAt);
  const usable = () => {
    const lag = lagMs();
    return !suspect && lag !== null && lag <= maxLagMs;
  };
  const judge = (why: string) => {
    if (usable() === used) return;
    used = !used;
    onChange({ used, why: used ? "it has caught up" : why });
  };

  const look = async (): Promise<void> => {
    try {
      const at = performance.now();
      samples.push({ at, lsn: await position(primary) });
      const replayed = await position(db);
      suspect = false;
      // The newest moment at which the primary was no further than the replica is.
      while (samples.length > 1 && samples[1]!.lsn <= replayed) samples.shift();
      if (samples[0]!.lsn <= replayed) upToDateAt = Math.max(upToDateAt ?? 0, samples[0]!.at);
      // A replica that far behind is not asked anyway.
      while (at - samples[0]!.at > 4 * maxLagMs) samples.shift();
      judge(`it is more than ${maxLagMs} ms behind`);
    } catch (error) {
      judge(messageOf(error));
    }
  };
  const watching = (async () => {
    for (;;) {
      await look();
      await sleep(everyMs, over.signal);
    }
  })().catch(() => {
    // Aborted: it is closed.
  });

  return {
    lagMs,
    history: async (upTo, read) => {
      if (!usable() || sharedNow() - upTo.getTime() < maxLagMs + marginMs) {
        onRead("primary");
        return read(primary);
      }
      try {
        onRead("replica");
        return await read(db);
      } catch (error) {
        if (!(error instanceof AppError && error.code === "unavailable")) throw error;
        suspect = true;
        judge(messageOf(error));
        return read(primary);
      }
    },
    close: async () => {
      over.abort();
      await watching;
      await db.close();
    },
  };
}

/** The position of a server in the write-ahead log: written on the primary, replayed on a replica. */
async function position(db: Database): Promise<bigint> {
  const [row] = await forNobody(db).ask<[{ position: string }]>(sql`
    select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
      else pg_current_wal_lsn() end - '0/0')::text as position`);
  return BigInt(row.position);
}
