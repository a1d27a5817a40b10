import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { insertDeliveries, deleteBusiness, forBusiness, insertKey } from "../../../lib/db/index.ts";
import { eventsOf } from "../../../lib/events/index.ts";
import { createMediaQuota } from "../../../lib/quotas/index.ts";
import { createMediaSigner, storeMedia } from "../../../lib/media-store/index.ts";
import { createSealedStore } from "../../../lib/storage/index.ts";
import type { ObjectStore } from "../../../lib/storage/index.ts";
import { createDecoder } from "../media/decoder/decoder.ts";
import { firstRun } from "../testing/run.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";
import { forget } from "./forget.ts";
import { purgeBusinesses } from "./purge_businesses.ts";
import { removeMedia } from "../media/remove_media.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const objects = new Map<string, Uint8Array>();
const memory: ObjectStore = {
  put: async (key, bytes) =>
    void objects.set(key, Buffer.concat(await Array.fromAsync(bytes, (chunk) => Buffer.from(chunk)))),
  get: async () => null,
  delete: async (key) => void objects.delete(key),
};
const store = createSealedStore(memory, keys);

let workers: TestWorkers;
let deps: TestWorkers["deps"];
beforeAll(async () => {
  workers = await createTestWorkers();
  const signer = createMediaSigner(keys, "https://api.example");
  deps = {
    ...workers.deps,
    media: {
      store,
      host: "127.0.0.1:9",
      signer,
      decoder: createDecoder(),
      quota: createMediaQuota(workers.database.db, 1024 ** 3),
    },
  };
});
afterAll(() => workers.close());

const owner = () => workers.database.owner;
const age = (business: string, days: number) => owner()`
  update businesses set deleted_at = now() - make_interval(days => ${days}) where id = ${business}`;

/** Every table that names a business, and how many rows it has of this one. */
async function rowsOf(business: string): Promise<Record<string, number>> {
  const tables = await owner()<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'business_id'
    and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`;
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await owner()<[{ count: number }]>`
      select count(*)::integer as count from ${owner()(name)} where business_id = ${business}`;
    if (row.count > 0) counts[name] = row.count;
  }
  return counts;
}

/** A business with rows in every table, a file and a recording in the store, and live events. */
async function furnished(): Promise<string> {
  const business = await workers.business();
  const scope = forBusiness(workers.database.db, business);
  await workers.endpoint(business);
  await insertDeliveries(scope, [
    { business_id: business, event: "message.received", chat: null, at: new Date(), data: {} },
  ]);
  for (let n = 0; n < 3; n++) await workers.queueMessage(business, "15550000001@s.whatsapp.net", `${n}`);
  await insertKey(scope, {
    id: uuidv7(),
    prefix: randomBytes(4).toString("hex"),
    hash: "0".repeat(64),
    scopes: ["messages:read"],
  });
  async function* bytes() {
    yield randomBytes(100);
  }
  await storeMedia(scope, store, bytes(), { maxBytes: 1_000 });
  const recording = `RE${randomBytes(16).toString("hex")}`;
  objects.set(recording, new Uint8Array(1));
  const [broadcast, chat] = [uuidv7(), "15550000001@s.whatsapp.net"];
  await owner().begin(async (sql) => {
    await sql`insert into calls (call_sid, business_id, direction, from_number, to_number, status, started_at,
      ended_at, duration_s)
              values (${`CA${randomBytes(16).toString("hex")}`},
              ${business}, 'inbound', '+15550000001', '+15550000002', 'completed', now(), now(), 1)`;
    await sql`insert into call_recordings (recording_sid, business_id, call_sid, status, storage_key, stored_at)
              values (${recording}, ${business}, ${`CA${randomBytes(16).toString("hex")}`}, 'stored', ${recording},
              now())`;
    await sql`insert into broadcasts (id, business_id, name, text, status, time_zone, per_minute)
              values (${broadcast}, ${business}, 'x', 'x', 'draft', 'UTC', 60)`;
    await sql`insert into broadcast_recipients (broadcast_id, business_id, chat)
      values (${broadcast}, ${business}, ${chat})`;
    await sql`insert into opt_outs (business_id, chat) values (${business}, ${chat})`;
    await sql`insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
              values (${business}, 'k', 'f', 202, '{}', now() + interval '1 day')`;
    await sql`insert into journal_quarantine (id, shard, stream, seq, business_id, reason, entry)
              values (${uuidv7()}, 1, 'inbound', ${Math.floor(Math.random() * 1e9)}, ${business}, 'x', '{}')`;
    await sql`insert into audit_events (id, key_id, key_prefix, method, path, business_id, request_id)
              values (${uuidv7()}, ${uuidv7()}, 'prefix12', 'DELETE', '/', ${business}, 'r')`;
  });
  await workers.redis.xadd(eventsOf(business), "*", "event", "{}");
  return business;
}

describe("a business that was deleted", () => {
  test("loses every row and file after its retention", async () => {
    const [gone, recent, alive] = [await furnished(), await furnished(), await furnished()];
    const objectsBefore = objects.size;
    for (const business of [gone, recent]) await deleteBusiness(forBusiness(workers.database.db, business));
    await age(gone, 31);
    await age(recent, 29);
    const [recentBefore, aliveBefore] = [await rowsOf(recent), await rowsOf(alive)];
    expect(Object.keys(aliveBefore).length).toBeGreaterThan(10);

    // Its files are still there: it waits for them.
    await purgeBusinesses(deps)(firstRun({}));
    expect(Object.keys(await rowsOf(gone))).toContain("media");
    await removeMedia(deps)(firstRun({}));
    await purgeBusinesses(deps)(firstRun({}));

    expect(Object.keys(await rowsOf(gone))).toEqual(["audit_events"]);
    expect(await owner()`select id from businesses where id = ${gone}`).toHaveLength(0);
    expect(await workers.redis.exists(eventsOf(gone), eventsOf(alive))).toBe(1);
    expect(await rowsOf(alive)).toEqual(aliveBefore);
    const { media: _, ...kept } = recentBefore;
    expect(await rowsOf(recent)).toEqual(kept);
    // The file and the recording of one, the file of the other.
    expect(objects.size).toBe(objectsBefore - 3);
    expect(await purgeBusinesses(deps)(firstRun({}))).toEqual({ counts: { businesses: 0, rows: 0, recordings: 0 } });
  });

  test("is removed in batches", async () => {
    const business = await workers.business();
    await owner()`
      insert into opt_outs (business_id, chat) select ${business}, n || '@s.whatsapp.net'
      from generate_series(1, 2500) n`;
    await deleteBusiness(forBusiness(workers.database.db, business));
    await age(business, 31);
    const removed = [];
    for (let n = 0; n < 3; n++) {
      const [row] = await owner()<[{ removed: number }]>`select purge_business(${business}, 30, 1000) as removed`;
      removed.push(row.removed);
    }
    expect(removed).toEqual([1_000, 1_000, 500]);
  });

  test("loses nothing while it exists", async () => {
    const business = await workers.business();
    await workers.queueMessage(business, "15550000001@s.whatsapp.net", "x");
    const before = await rowsOf(business);
    const [row] = await owner()<[{ removed: number }]>`select purge_business(${business}, 0, 1000) as removed`;
    expect([row.removed, await rowsOf(business)]).toEqual([0, before]);
  });
});

test("removes keys that ended long ago, except admins'", async () => {
  const business = await workers.business();
  const scope = forBusiness(workers.database.db, business);
  const make = async (days: number | null) => {
    const id = uuidv7();
    await insertKey(scope, { id, prefix: randomBytes(4).toString("hex"), hash: "0".repeat(64), scopes: [] });
    if (days !== null)
      await owner()`update api_keys set revoked_at = now() - make_interval(days => ${days}) where id = ${id}`;
    return id;
  };
  const [working, recent, old, admin] = [await make(null), await make(89), await make(91), await make(91)];
  await owner()`update api_keys set business_id = null where id = ${admin}`;
  expect(await forget(workers.deps)(firstRun({}))).toMatchObject({ counts: { ended_keys: 1 } });
  const left = await owner()<
    { id: string }[]
  >`select id from api_keys where id in ${owner()([working, recent, old, admin])}`;
  expect(left.map(({ id }) => id).toSorted()).toEqual([working, recent, admin].toSorted());
});
