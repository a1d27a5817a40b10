import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { createDatabase, forBusiness, forNobody, once, sql } from "../../../../lib/db/index.ts";
import { roleStatementMs } from "../../../../lib/db/client/client.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { createBusiness } from "../../../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../../../lib/testing/database.ts";
import { createOutbox } from "./submit.ts";
import type { Outbox } from "./submit.ts";

let database: MigratedDatabase;
let outbox: Outbox;
beforeAll(async () => {
  database = await createMigratedDatabase({ poolSize: 10 });
  outbox = createOutbox(database.db);
});
afterAll(() => database.close());

const request = (scope: BusinessScope, key?: string) => {
  const id = uuidv7();
  return {
    scope,
    message: {
      id,
      chat: "1@s.whatsapp.net",
      type: "text" as const,
      text: "hello",
      wa_message_id: whatsappMessageId(id),
    },
    bytes: 5,
    options: key === undefined ? {} : { idempotency: { key, fingerprint: "same", status: 202, response: { id } } },
  };
};

/** Runs another request of the business with the key until `release` is called. */
function holdKey(scope: BusinessScope, key: string) {
  const [held, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = once(scope, { key, fingerprint: "same" }, async () => {
    held.resolve();
    await end.promise;
    return { status: 202, response: { id: "of the other request" } };
  });
  const release = async () => {
    end.resolve();
    await done;
  };
  return { held: held.promise, release };
}

describe("an Idempotency-Key in use by a slow request", () => {
  test("delays no message of other businesses", async () => {
    const [mine, other] = [await createBusiness(database.db), await createBusiness(database.db)];
    const keys = ["a", "b"];
    const holders = keys.map((key) => holdKey(mine, key));
    await Promise.all(holders.map(({ held }) => held));
    const blocked = Promise.allSettled(keys.map((key) => outbox(request(mine, key))));
    try {
      const from = performance.now();
      for (let n = 0; n < 20; n++) expect(await outbox(request(other))).toEqual({ outcome: "accepted" });
      // Without its own limit of a lock, a commit waits for as long as a statement may take.
      expect(performance.now() - from).toBeLessThan(roleStatementMs);
    } finally {
      await Promise.all(holders.map(({ release }) => release()));
    }
    const value = { outcome: "replayed", status: 202, response: { id: "of the other request" } };
    expect(await blocked).toEqual(keys.map(() => ({ status: "fulfilled" as const, value }) as never));
  });
});

describe("a message whose caller stopped waiting", () => {
  test("is not stored later", async () => {
    const { businessId } = await createBusiness(database.db);
    const locked = Promise.withResolvers<void>();
    const unlock = Promise.withResolvers<void>();
    const lock = database.owner.begin(async (tx) => {
      await tx`lock table messages in access exclusive mode`;
      locked.resolve();
      await unlock.promise;
    });
    await locked.promise;
    // One connection: its next statement runs only when the server has ended the previous one.
    const db = createDatabase({ url: database.appUrl, poolSize: 1, applicationName: "impatient" });
    try {
      const impatient = forBusiness(db, businessId, performance.now() + 500);
      await expect(createOutbox(db)(request(impatient))).rejects.toMatchObject({ code: "unavailable" });
      expect(await forNobody(db).ask(sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
    } finally {
      unlock.resolve();
      await lock;
      await db.close();
    }
    const stored = await forBusiness(database.db, businessId).ask(sql`select from messages`);
    expect(stored.count).toBe(0);
  });
});
