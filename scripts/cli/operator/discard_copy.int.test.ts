import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  appendTail,
  claimCopy,
  createDatabase,
  finishSnapshot,
  forPlatform,
  getCopy,
  releaseCopy,
} from "../../../lib/db/index.ts";
import type { CopyClaim, CopyScope } from "../../../lib/db/index.ts";
import type { ObjectStore } from "../../../lib/storage/index.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../lib/testing/database.ts";
import { discardPlanned, planDiscard } from "./discard_copy.ts";

const [shard, leaseMs] = [7, 15_000];
let database: MigratedDatabase;
let owner: ReturnType<typeof createDatabase>;
let scope: CopyScope;
const first = { shard, epoch: 1, volume: crypto.randomUUID() };
const claim = (seen: CopyClaim["seen"], volume = crypto.randomUUID()) =>
  claimCopy(scope, {
    shard,
    volume,
    seen,
    state: "live",
    continues: true,
    exact: false,
    leaseMs,
  });
const endLease = () => database.owner`update shard_copies set leased_until = now() - interval '1 second'`;

beforeAll(async () => {
  database = await createMigratedDatabase();
  owner = createDatabase({ url: database.ownerUrl, poolSize: 1, applicationName: "test" });
  scope = forPlatform(owner);
});
afterAll(async () => {
  await owner.close();
  await database.close();
});
beforeEach(async () => {
  await database.owner`delete from shard_copies`;
  await database.owner`delete from shard_tail`;
  await claim(null, first.volume);
  const entries = [{ key_id: "k1", box: Buffer.from("row") }];
  await appendTail(scope, { owner: first, after: 0, entries, gap: false, leaseMs });
  await finishSnapshot(scope, { owner: first, key: "shards/7/1", seq: 0, bytes: 9, exact: false });
});

describe("the discard of a copy", () => {
  test("is refused while the lease is held", async () => {
    await expect(planDiscard(scope, shard)).rejects.toThrow("holds the lease");
  });

  test("is refused after another claim", async () => {
    await endLease();
    const plan = await planDiscard(scope, shard);
    await claim(first);
    await endLease();
    await expect(discardPlanned(scope, plan, null)).rejects.toThrow("Nothing was changed");
    expect(await getCopy(scope, shard)).toMatchObject({ epoch: 2 });
  });

  test("deletes the copy, its rows and its objects", async () => {
    await endLease();
    const plan = await planDiscard(scope, shard);
    expect(plan).toMatchObject({ shard, epoch: 1, complete: true, objects: ["shards/7/1"] });
    const deleted: string[] = [];
    const remove = async (key: string) => void deleted.push(key);
    expect(await discardPlanned(scope, plan, { delete: remove } as unknown as ObjectStore)).toEqual([]);
    expect(deleted).toEqual(["shards/7/1"]);
    expect(await database.owner`select 1 from shard_tail`).toHaveLength(0);
    await expect(planDiscard(scope, shard)).rejects.toThrow("has no copy");
  });

  test("fences a former owner, although epochs begin again", async () => {
    await endLease();
    await discardPlanned(scope, await planDiscard(scope, shard), null);
    expect(await claim(null)).toMatchObject({ epoch: 1, tail_seq: 0 });
    const append = { owner: first, after: 0, entries: [], gap: false, leaseMs };
    expect(await appendTail(scope, append)).toEqual({ is: "lost" });
    const snapshot = { owner: first, key: "x", seq: 0, bytes: 9, exact: true };
    expect(await finishSnapshot(scope, snapshot)).toBeFalse();
    await releaseCopy(scope, { owner: first, seq: 0 });
    await expect(planDiscard(scope, shard)).rejects.toThrow("holds the lease");
  });

  test("fences a claimer that read the discarded copy", async () => {
    await endLease();
    await discardPlanned(scope, await planDiscard(scope, shard), null);
    const successor = await claim(null);
    await endLease();
    expect(await claim(first, first.volume)).toBeUndefined();
    expect(await claim(successor!, first.volume)).toMatchObject({ epoch: 2, volume: first.volume });
  });

  test("spares the copy that a successor made", async () => {
    await endLease();
    const plan = await planDiscard(scope, shard);
    await discardPlanned(scope, plan, null);
    const successor = await claim(null);
    await endLease();
    await expect(discardPlanned(scope, plan, null)).rejects.toThrow("Nothing was changed");
    expect(await getCopy(scope, shard)).toMatchObject({ epoch: 1, volume: successor!.volume });
  });

  test("returns the objects that it cannot delete", async () => {
    await endLease();
    expect(await discardPlanned(scope, await planDiscard(scope, shard), null)).toEqual(["shards/7/1"]);
  });
});
