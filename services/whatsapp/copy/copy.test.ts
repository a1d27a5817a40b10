import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { ShardCopy } from "./copy.ts";
import { Lease } from "./lease.ts";
import { schemaHash } from "./row_capture.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
let folder: string;
let db: ShardDb;
let stored: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shard-copy-"));
  db = ShardDb.open(join(folder, "shard.db"), keys);
  stored = [];
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const row: ShardCopyRow = {
  shard: 1,
  epoch: 1,
  volume: crypto.randomUUID(),
  state: "live",
  complete: true,
  exact: false,
  lease_left_ms: 15_000,
  appended_ago_ms: 0,
  tail_seq: 0,
  tail_bytes: 0,
  snapshot_key: "former",
  snapshot_seq: 0,
  snapshot_bytes: 1,
  snapshot_ago_ms: 0,
  pending_key: null,
};

/** The copy of a shard that was killed, with a storage that deletes nothing. */
function afterKill(): ShardCopy {
  const lease = new Lease(() => null);
  lease.confirmed(performance.now());
  const storage: SealedStore = {
    put: async (key, bytes) => {
      for await (const _ of bytes);
      stored.push(key);
    },
    get: async () => null,
    delete: () => Promise.reject(new Error("deleting is refused")),
  };
  return new ShardCopy({
    durability: "required",
    volume: { path: folder, shard: 1, file: (...parts) => join(folder, ...parts), release: () => {} },
    keys,
    db,
    // Postgres that confirms every statement.
    scope: { ask: async () => [{ appended: true }] } as unknown as CopyScope,
    storage,
    lease,
    claimed: {
      copy: row,
      record: {
        volume: row.volume,
        epoch: 1,
        state: "live",
        behind: false,
        schema: schemaHash(db.db),
        key: db.sealer.keyId,
        end: null,
      },
      isAhead: true,
    },
    logger: createLogger("test", "info", { write: () => {} }),
    onLost: () => {},
  });
}

describe("a shard after a kill (required), whose storage deletes nothing", () => {
  test("is ready after one unpaced snapshot", async () => {
    const sleep = spyOn(Bun, "sleep");
    const copy = afterKill();
    try {
      await copy.ready();
      expect(sleep).not.toHaveBeenCalled();
      expect(stored).toHaveLength(1);
      expect(copy.isComplete).toBeTrue();
    } finally {
      sleep.mockRestore();
      await copy.stop();
    }
  });
});
