import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { createDatabase, insertKey } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { createBusiness } from "../../../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../../lib/testing/database.ts";
import { createAuthenticator } from "./authenticator.ts";

let database: MigratedDatabase;
let scope: BusinessScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  scope = await createBusiness(database.db);
});
afterAll(() => database.close());

async function newKey() {
  const { key, prefix, hash } = generateKey();
  const stored = await insertKey(scope, { id: uuidv7(), prefix, hash, scopes: ["messages:read"] });
  return { key, prefix, id: stored!.id };
}
const revoke = (id: string) => database.owner`update api_keys set revoked_at = now() where id = ${id}`;
const ring = (options: Parameters<typeof createAuthenticator>[1] = {}) => {
  const clock = { at: 0 };
  return { clock, ...createAuthenticator(database.db, { ttlMs: 1_000, now: () => clock.at, ...options }) };
};

describe("a key", () => {
  test("identifies its owner and its scopes", async () => {
    const { key, prefix, id } = await newKey();
    expect(await ring().identify(key)).toEqual({
      kind: "business",
      keyId: id,
      prefix,
      businessId: scope.businessId,
      scopes: new Set(["messages:read"]),
      expiresAt: null,
    });
  });

  test("stops working when its cache entry expires", async () => {
    const { key, id } = await newKey();
    const { identify, clock } = ring();
    expect(await identify(key)).toBeDefined();
    await revoke(id);
    clock.at = 999;
    expect(await identify(key)).toBeDefined();
    clock.at = 1_001;
    expect(await identify(key)).toBeUndefined();
  });

  test("is looked up again after invalidation", async () => {
    const { key, id } = await newKey();
    const { identify, invalidate } = ring();
    await identify(key);
    await revoke(id);
    invalidate(uuidv7());
    expect(await identify(key)).toBeDefined();
    invalidate(scope.businessId);
    expect(await identify(key)).toBeUndefined();
  });

  test("is recalled until its cache entry expires", async () => {
    const { key, prefix } = await newKey();
    const { identify, recall, invalidate, clock } = ring();
    expect(recall(key)).toBeUndefined();
    const principal = await identify(key);
    expect(recall(key)).toEqual(principal);
    expect(recall(`psk_${prefix}_${"a".repeat(43)}`)).toBeUndefined();
    clock.at = 1_000;
    expect(recall(key)).toBeUndefined();
    const again = identify(key);
    // The lookup in flight may find the key revoked.
    expect(recall(key)).toBeUndefined();
    await again;
    expect(recall(key)).toBeDefined();
    invalidate(scope.businessId);
    expect(recall(key)).toBeUndefined();
  });

  test("is refused with another secret, cached or not", async () => {
    const { key, prefix } = await newKey();
    const { identify } = ring();
    await identify(key);
    expect(await identify(`psk_${prefix}_${"a".repeat(43)}`)).toBeUndefined();
  });
});

describe("the cache", () => {
  test("evicts the oldest lookup", async () => {
    const { identify } = ring({ maxKeys: 2 });
    const keys = [await newKey(), await newKey(), await newKey()];
    for (const { key } of keys) await identify(key);
    const ids = database.owner(keys.map(({ id }) => id));
    await database.owner`update api_keys set revoked_at = now() where id in ${ids}`;
    expect(await identify(keys[2]!.key)).toBeDefined();
    expect(await identify(keys[0]!.key)).toBeUndefined();
  });

  test("does not keep database failures", async () => {
    const unavailable = createDatabase({ url: "postgres://x@127.0.0.1:1/x", poolSize: 1, applicationName: "test" });
    const { identify } = createAuthenticator(unavailable, { ttlMs: 60_000 });
    const { key } = await newKey();
    for (let n = 0; n < 2; n++) await expect(identify(key)).rejects.toMatchObject({ code: "unavailable" });
    await unavailable.close();
  });
});

describe("unknown keys", () => {
  const unknownKey = () => generateKey().key;
  test("evict no valid key", async () => {
    const { identify, remembers } = ring({ maxKeys: 2 });
    const { key } = await newKey();
    await identify(key);
    for (let n = 0; n < 10; n++) await identify(unknownKey());
    expect(remembers(key)).toBeTrue();
  });

  test("are refused without a lookup until the TTL", async () => {
    const { identify, clock } = ring({ ttlMs: 10_000 });
    const made = generateKey();
    expect(await identify(made.key)).toBeUndefined();
    await insertKey(scope, { id: uuidv7(), prefix: made.prefix, hash: made.hash, scopes: [] });
    clock.at = 999;
    expect(await identify(made.key)).toBeUndefined();
    clock.at = 1_001;
    expect(await identify(made.key)).toBeDefined();
  });

  test("do not block a new key of the prefix", async () => {
    const { identify } = ring();
    const made = generateKey();
    expect(await identify(`psk_${made.prefix}_${"a".repeat(43)}`)).toBeUndefined();
    await insertKey(scope, { id: uuidv7(), prefix: made.prefix, hash: made.hash, scopes: [] });
    expect(await identify(made.key)).toBeDefined();
  });
});

describe("an expiring key", () => {
  test("expires by the database's clock while cached", async () => {
    const { key, id } = await newKey();
    await database.owner`update api_keys set expires_at = now() + interval '10 minutes' where id = ${id}`;
    const { identify, clock } = ring({ ttlMs: 3_600_000 });
    expect(await identify(key)).toBeDefined();
    clock.at = 540_000;
    expect(await identify(key)).toBeDefined();
    clock.at = 600_001;
    expect(await identify(key)).toBeUndefined();
  });
});
