import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { closedSessions, deleteBusiness, forPlatform, getSession, upsertSessions } from "../index.ts";
import type { BusinessScope, PlatformScope, SessionReport } from "../index.ts";

let database: MigratedDatabase;
let platform: PlatformScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  platform = forPlatform(database.db);
});
afterAll(() => database.close());

const report = (business: BusinessScope, second: number, changes: Partial<SessionReport> = {}): SessionReport => ({
  business_id: business.businessId,
  shard: 1,
  status: "open",
  paired: true,
  phone: null,
  lid: null,
  name: null,
  reason: null,
  since: new Date(Date.UTC(2027, 0, 1, 0, 0, second)),
  observed_at: new Date(Date.UTC(2027, 0, 1, 0, 0, second)),
  ...changes,
});

describe("the mirror of sessions", () => {
  test("keeps the newest report in any order", async () => {
    const business = await createBusiness(database.db, { paired: false });
    await upsertSessions(platform, [report(business, 5, { status: "logged_out", paired: false }), report(business, 3)]);
    expect(await getSession(business)).toMatchObject({ status: "logged_out", paired: false });
    expect(await upsertSessions(platform, [report(business, 4)])).toBe(0);
    expect(await upsertSessions(platform, [report(business, 6)])).toBe(1);
    expect(await getSession(business)).toMatchObject({ status: "open", paired: true });
  });

  test("drops reports about deleted businesses", async () => {
    const gone = await createBusiness(database.db);
    await deleteBusiness(gone);
    expect(await upsertSessions(platform, [report(gone, 1)])).toBe(0);
    expect(await getSession(gone)).toBeUndefined();
  });
});

describe("closedSessions", () => {
  test("counts linked sessions that are not open, by reason", async () => {
    const reason = crypto.randomUUID();
    const create = async (second: number, changes: Partial<SessionReport>) => {
      const business = await createBusiness(database.db);
      await upsertSessions(platform, [report(business, second, { reason, ...changes })]);
      return business;
    };
    await create(9, { status: "banned" });
    const first = await create(3, { status: "banned" });
    await create(1, { status: "conflict" });
    await create(1, { status: "open" });
    await create(1, { status: "logged_out", paired: false });
    await deleteBusiness(await create(1, { status: "banned" }));
    const closed = (await closedSessions(platform, { limit: 100 })).filter((one) => one.reason === reason);
    expect(closed).toEqual([
      {
        status: "banned",
        reason,
        sessions: 2,
        since: new Date(Date.UTC(2027, 0, 1, 0, 0, 3)),
        business_id: first.businessId,
      },
      expect.objectContaining({ status: "conflict", sessions: 1 }),
    ]);
  });
});
