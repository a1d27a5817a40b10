import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { addFetches, forBusiness, forPlatform, getMedia, wantUploads } from "../../../lib/db/index.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { createMediaQuota } from "../../../lib/quotas/index.ts";
import { createMediaSigner, storeMedia } from "../../../lib/media-store/index.ts";
import { createSealedStore } from "../../../lib/storage/index.ts";
import type { ObjectStore } from "../../../lib/storage/index.ts";
import { firstRun } from "../testing/run.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";
import { createDecoder } from "./decoder/decoder.ts";
import { removeMedia } from "./remove_media.ts";
import { sweepMedia } from "./sweep_media.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const objects = new Map<string, Uint8Array>();
/** Keys whose deletion fails. */
const stuck = new Set<string>();
const memory: ObjectStore = {
  put: async (key, bytes) =>
    void objects.set(key, Buffer.concat(await Array.fromAsync(bytes, (chunk) => Buffer.from(chunk)))),
  get: async (key) => {
    const object = objects.get(key);
    return object ? { size: object.length, read: async (start, end) => object.subarray(start, end) } : null;
  },
  delete: async (key) => {
    if (stuck.has(key)) throw new Error("the store is unavailable");
    objects.delete(key);
  },
};
const store = createSealedStore(memory, keys);

let workers: TestWorkers;
let media: NonNullable<TestWorkers["deps"]["media"]>;
beforeAll(async () => {
  workers = await createTestWorkers();
  const signer = createMediaSigner(keys, "https://api.example");
  media = {
    store,
    host: "127.0.0.1:9",
    signer,
    decoder: createDecoder(),
    quota: createMediaQuota(workers.database.db, 1024 ** 3),
  };
});
afterAll(() => workers.close());

async function* once(bytes: Uint8Array) {
  yield bytes;
}
const keep = async (business: string) =>
  (await storeMedia(forBusiness(workers.database.db, business), store, once(randomBytes(100)), { maxBytes: 1_000 }))
    .media;
const age = (id: string, days: number) =>
  workers.database.owner`update media set created_at = now() - make_interval(days => ${days}) where id = ${id}`;

describe("remove_media", () => {
  test("removes orphans from the store, then the table", async () => {
    const business = await workers.business();
    const [orphan, fresh] = [await keep(business), await keep(business)];
    await age(orphan.id, 8);
    const remove = removeMedia({ ...workers.deps, media });
    expect(await remove(firstRun({}))).toEqual({ counts: { removed: 1 } });
    expect([objects.has(orphan.storage_key), objects.has(fresh.storage_key)]).toEqual([false, true]);
    expect(await workers.database.owner`select id from media where business_id = ${business}`).toHaveLength(1);
    expect(await remove(firstRun({}))).toEqual({ counts: { removed: 0 } });
  });

  test("keeps the row until the store removed it", async () => {
    const business = await workers.business();
    const orphan = await keep(business);
    await age(orphan.id, 8);
    stuck.add(orphan.storage_key);
    const remove = removeMedia({ ...workers.deps, media });
    await expect(remove(firstRun({}))).rejects.toThrow("the store is unavailable");
    expect(await getMedia(forBusiness(workers.database.db, business), orphan.id)).toBeUndefined();
    stuck.clear();
    expect(await remove(firstRun({}))).toEqual({ counts: { removed: 1 } });
    expect(objects.has(orphan.storage_key)).toBeFalse();
  });

  test("cleans up after an interrupted write", async () => {
    const business = await workers.business();
    async function* broken() {
      yield randomBytes(10);
      throw new Error("the line went dead");
    }
    await expect(
      storeMedia(forBusiness(workers.database.db, business), store, broken(), { maxBytes: 1_000 }),
    ).rejects.toThrow("dead");
    expect(await removeMedia({ ...workers.deps, media })(firstRun({}))).toEqual({ counts: { removed: 1 } });
    expect(await workers.database.owner`select id from media where business_id = ${business}`).toHaveLength(0);
  });
});

describe("sweep_media", () => {
  test("wakes due fetches, uploads and descriptions only", async () => {
    const business = await workers.business();
    const [due, later] = [uuidv7(), uuidv7()];
    const bytes = randomBytes(32).toString("base64");
    const pointer = {
      direct_path: "/v/x",
      media_key: bytes,
      file_sha256: bytes,
      file_enc_sha256: bytes,
      file_length: 1,
    };
    await addFetches(
      forPlatform(workers.database.db),
      [due, later].map((message_id) => ({ message_id, business_id: business, kind: "image", pointer })),
    );
    await workers.database
      .owner`update media_fetches set next_attempt_at = date_trunc('milliseconds', now()) + interval '1 hour'
        where message_id = ${later}`;
    const one = await keep(business);
    await wantUploads(forBusiness(workers.database.db, business), [{ media_id: one.id, kind: "document" }]);
    await workers.database.owner`update media_uploads set next_attempt_at = date_trunc('milliseconds', now())`;
    await workers.database.owner`update media set created_at = now() - interval '1 minute' where id = ${one.id}`;

    const woken: [string, unknown][] = [];
    const producer = {
      ...workers.producer,
      wake: async (job: string, payload: unknown) => void woken.push([job, payload]),
    };
    await sweepMedia({ ...workers.deps, producer, media })(firstRun({}));
    expect(woken.filter(([, payload]) => JSON.stringify(payload).includes(business))).toEqual([
      ["fetch_media", { business_id: business }],
      ["prepare_media", { business_id: business }],
      ["describe_media", { business_id: business }],
    ]);
  });
});
