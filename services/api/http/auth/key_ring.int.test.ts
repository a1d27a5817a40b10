import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { createDatabase, insertKey } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { createBusiness } from "../../../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../../lib/testing/database.ts";
import { createKeyRing } from "./key_ring.ts";

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
const ring = (options: Parameters<typeof createKeyRing>[1] = {}) => {
  const clock = { at: 0 };
  return { clock, ...createKeyRing(database.db, { ttlMs: 1_000, now: () => clock.at, ...options }) };
};

test("a key tells whose it is and what it may do", async () => {
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

test("a revoked key works until its time in memory is over, and not longer", async () => {
  const { key, id } = await newKey();
  const { identify, clock } = ring();
  expect(await identify(key)).toBeDefined();
  await revoke(id);
  clock.at = 999;
  expect(await identify(key)).toBeDefined();
  clock.at = 1_001;
  expect(await identify(key)).toBeUndefined();
});

test("what is forgotten is asked for at once", async () => {
  const { key, id } = await newKey();
  const { identify, forget } = ring();
  await identify(key);
  await revoke(id);
  forget(uuidv7());
  expect(await identify(key)).toBeDefined();
  forget(scope.businessId);
  expect(await identify(key)).toBeUndefined();
});

test("the right prefix with another secret opens nothing, also from memory", async () => {
  const { key, prefix } = await newKey();
  const { identify } = ring();
  await identify(key);
  expect(await identify(`psk_${prefix}_${"a".repeat(43)}`)).toBeUndefined();
});

test("of many keys only the most recently asked for are kept", async () => {
  const { identify } = ring({ maxKeys: 2 });
  const keys = [await newKey(), await newKey(), await newKey()];
  for (const { key } of keys) await identify(key);
  await database.owner`update api_keys set revoked_at = now() where id in ${database.owner(keys.map(({ id }) => id))}`;
  expect(await identify(keys[2]!.key)).toBeDefined();
  expect(await identify(keys[0]!.key)).toBeUndefined();
});

test("a database that cannot be asked is not the same as a key that is not known, and is not remembered", async () => {
  const away = createDatabase({ url: "postgres://x@127.0.0.1:1/x", poolSize: 1, applicationName: "test" });
  const { identify } = createKeyRing(away, { ttlMs: 60_000 });
  const { key } = await newKey();
  for (let n = 0; n < 2; n++) await expect(identify(key)).rejects.toMatchObject({ code: "unavailable" });
  await away.close();
});

describe("unknown keys", () => {
  const unknownKey = () => generateKey().key;
  test("displace no valid key", async () => {
    const { identify, remembers } = ring({ maxKeys: 2 });
    const { key } = await newKey();
    await identify(key);
    for (let n = 0; n < 10; n++) await identify(unknownKey());
    expect(remembers(key)).toBeTrue();
  });

  test("are refused without a lookup for a while", async () => {
    const { identify, clock } = ring({ ttlMs: 10_000 });
    const made = generateKey();
    expect(await identify(made.key)).toBeUndefined();
    await insertKey(scope, { id: uuidv7(), prefix: made.prefix, hash: made.hash, scopes: [] });
    clock.at = 999;
    expect(await identify(made.key)).toBeUndefined();
    clock.at = 1_001;
    expect(await identify(made.key)).toBeDefined();
  });

  test("delay no new key with the same prefix", async () => {
    const { identify } = ring();
    const made = generateKey();
    expect(await identify(`psk_${made.prefix}_${"a".repeat(43)}`)).toBeUndefined();
    await insertKey(scope, { id: uuidv7(), prefix: made.prefix, hash: made.hash, scopes: [] });
    expect(await identify(made.key)).toBeDefined();
  });
});

describe("an expiring key", () => {
  test("ends by the database's clock while it is cached", async () => {
    const { key, id } = await newKey();
    await database.owner`update api_keys set expires_at = now() + interval '10 seconds' where id = ${id}`;
    const { identify, clock } = ring({ ttlMs: 60_000 });
    expect(await identify(key)).toBeDefined();
    clock.at = 9_000;
    expect(await identify(key)).toBeDefined();
    clock.at = 10_001;
    expect(await identify(key)).toBeUndefined();
  });
});
