import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  appendTail,
  beginSnapshot,
  claimCopy,
  createDatabase,
  finishSnapshot,
  forNobody,
  forPlatform,
  releaseCopy,
  trimTail,
} from "../../../lib/db/index.ts";
import { sql } from "../../../lib/db/client/literal.ts";
import type { CopyClaim, CopyScope } from "../../../lib/db/index.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../lib/testing/database.ts";
import { surveyCopies } from "./survey_copies.ts";

let database: MigratedDatabase;
let shards: ReturnType<typeof createDatabase>;
let scope: CopyScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  const url = new URL(database.ownerUrl);
  url.searchParams.set("role", "prosaas_shards");
  shards = createDatabase({ url: url.toString(), poolSize: 2, applicationName: "test" });
  scope = forNobody(shards);
});
afterAll(async () => {
  await shards.close();
  await database.close();
});

const shard = 7;
const leaseMs = 15_000;
const volume = crypto.randomUUID();
const owner = (epoch = 1) => ({ shard, epoch, volume });
const claim = (seen: CopyClaim["seen"], more: object = {}) =>
  claimCopy(scope, { shard, volume, seen, state: "live", continues: true, exact: false, leaseMs, ...more });
const append = (after: number, epoch = 1, rows = 1, gap = false, by = volume) => {
  const entries = Array.from({ length: rows }, (_, n) => ({ key_id: "k1", box: Buffer.from(`row ${after + n}`) }));
  return appendTail(scope, { owner: { ...owner(epoch), volume: by }, after, entries, gap, leaseMs });
};
const snapshot = (seq: number, epoch = 1) =>
  finishSnapshot(scope, { owner: owner(epoch), key: `k${seq}`, seq, bytes: 9, exact: false });
const survey = async () => (await surveyCopies(forPlatform(database.db)))[0]!;

beforeEach(async () => {
  await database.owner`delete from shard_copies`;
  await database.owner`delete from shard_tail`;
  await claim(null);
});

describe("the survey of copies", () => {
  test("names what keeps a copy from being restored", async () => {
    expect(await survey()).toMatchObject({ shard, leased: true, fault: "it has no snapshot yet" });
    await append(0, 1, 3);
    await snapshot(1);
    expect(await survey()).toMatchObject({ tail_rows: 2, tail_bytes: 10, snapshot_bytes: 9, fault: null });
    await database.owner`delete from shard_tail where seq = 2`;
    expect((await survey()).fault).toBe("1 rows of its tail are missing");
    await append(3, 1, 1, true);
    expect((await survey()).fault).toContain("a gap");
    await snapshot(4);
    expect((await survey()).fault).toBeNull();
  });
});

describe("a copy", () => {
  test("refuses the appends of a former owner", async () => {
    expect(await append(0)).toEqual({ is: "appended" });
    const other = { volume: crypto.randomUUID() };
    expect(await claim(owner(), other)).toBeUndefined();
    await releaseCopy(scope, { owner: owner(), seq: 1 });
    expect(await claim(owner(), other)).toMatchObject({ epoch: 2, tail_seq: 1, ...other });
    expect(await append(1)).toEqual({ is: "lost" });
    expect(await beginSnapshot(scope, { owner: owner(), key: "x" })).toBeFalse();
    expect(await snapshot(1)).toBeFalse();
    await trimTail(scope, { owner: owner(), through: 1 });
    expect(await append(1, 2)).toEqual({ is: "lost" });
    expect(await append(1, 2, 1, false, other.volume)).toEqual({ is: "appended" });
    expect(await database.owner`select seq::int from shard_tail order by seq`).toMatchObject([{ seq: 1 }, { seq: 2 }]);
  });

  test("is claimed by one of two processes", async () => {
    const claims = await Promise.all([claim(owner()), claim(owner())]);
    expect(claims.filter((claimed) => claimed !== undefined)).toHaveLength(1);
  });

  test("takes a repeated append once", async () => {
    expect(await append(0, 1, 2)).toEqual({ is: "appended" });
    expect(await append(0, 1, 2)).toEqual({ is: "appended" });
    expect((await survey()).tail_rows).toBe(2);
    expect(await append(5)).toEqual({ is: "gap", tailSeq: 2 });
  });

  test("is closed to other roles' writes and other tables", async () => {
    await expect(forPlatform(database.db).ask(sql`delete from shard_tail`)).rejects.toThrow("permission denied");
    await expect(scope.ask(sql`select 1 from businesses`)).rejects.toThrow("permission denied");
    expect(await forNobody(database.db).ask(sql`select 1 from shard_copies`)).toHaveLength(0);
  });
});
