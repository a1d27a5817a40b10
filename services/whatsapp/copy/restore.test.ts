import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import type { CopyScope, ShardCopyRow } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { claimVolume } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { endFrame, frameOf } from "./frames.ts";
import { encode } from "./records.ts";
import type { ChangeRecord } from "./records.ts";
import { restoreVolume } from "./restore.ts";
import { contextOf } from "./tail.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const shard = 1;
const logins = 200;
const rounds = 3;
const schema: ChangeRecord = ["schema", "CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)"];
const login = (n: number, name: string, value: string | null): ChangeRecord => [
  "auth",
  "sessions",
  `login${n}`,
  name,
  value === null ? null : Buffer.from(value),
];
/** Rows of a shard whose logins take turns, so that a store is written by each row. */
const tail: ChangeRecord[][] = Array.from({ length: rounds * logins }, (_, row) => [
  login(row % logins, "creds", "{}"),
  login(row % logins, "counter", String(Math.floor(row / logins))),
  login(row % logins, "session:contact", "ratchet"),
]);
tail.push([["removed", "sessions", "login0"]], [login(1, "counter", null)]);

let volume: Volume;
beforeEach(() => {
  volume = claimVolume(mkdtempSync(join(tmpdir(), "restore-")), shard);
});
afterEach(() => {
  volume.release();
  rmSync(volume.path, { recursive: true });
});

function restore({ exact, fence }: { exact: boolean; fence: () => void }) {
  const sealer = keys.rotatingSealer("shard tail", Buffer.alloc(0));
  const rows = tail.map((records, index) => {
    const { keyId, box } = sealer.seal(Bun.zstdCompressSync(encode(records)), contextOf(shard, index + 1));
    return { seq: index + 1, key_id: keyId, box };
  });
  const ask = () => Promise.resolve(rows.splice(0, 500));
  async function* bytes() {
    yield Buffer.concat([frameOf([schema]), endFrame]);
  }
  return restoreVolume({
    volume,
    keys,
    scope: { ask } as unknown as CopyScope,
    storage: { get: async () => ({ bytes }) } as unknown as SealedStore,
    copy: { shard, exact, snapshot_key: "snapshot", snapshot_seq: 0, tail_seq: tail.length } as ShardCopyRow,
    fence,
  });
}

const pathOf = (n: number) => volume.file("sessions", `login${n}`, "auth.db");

describe("a restore of 200 logins", () => {
  test.each([true, false])(
    "checks its lease between stores (exact: %p)",
    async (exact) => {
      let [fences, turns] = [0, 0];
      const countTurn = () => {
        turns += 1;
        turn = setImmediate(countTurn);
      };
      let turn = setImmediate(countTurn);
      const restored = await restore({ exact, fence: () => void (fences += 1) });
      clearImmediate(turn);
      expect(restored).toMatchObject({ seq: tail.length, stores: logins - 1 });
      // After each row of the tail, and after each store when it is written and when it is flushed.
      expect(Math.min(fences, turns)).toBeGreaterThan(tail.length + 2 * (logins - 1));
      expect(existsSync(pathOf(0))).toBeFalse();
      for (let n = 1; n < logins; n++) {
        expect(existsSync(`${pathOf(n)}-wal`)).toBeFalse();
        const store = AuthStore.open(pathOf(n), `login${n}`, keys);
        // The last value of each name.
        expect(store.read("counter")?.toString()).toBe(n === 1 ? undefined : String(rounds - 1));
        expect(store.read("session:contact") !== undefined).toBe(exact);
        store.close();
      }
    },
    30_000,
  );

  test("leaves nothing after its lease has ended", async () => {
    let fences = 0;
    const fence = () => {
      fences += 1;
      if (fences > tail.length + 100) throw new Error("the lease has ended");
    };
    await expect(restore({ exact: false, fence })).rejects.toThrow("the lease has ended");
    expect([existsSync(volume.file("sessions")), existsSync(volume.file("restoring"))]).toEqual([false, false]);
  }, 30_000);
});
