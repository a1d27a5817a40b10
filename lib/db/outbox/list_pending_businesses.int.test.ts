import { describe, expect, test } from "bun:test";
import { createBusiness } from "../../testing/business.ts";
import { forPlatform, listPacedBusinesses, listPendingBusinesses } from "../index.ts";
import { send, useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();

describe("listPendingBusinesses", () => {
  test("finds every business with due messages, page by page", async () => {
    const scopes = [
      await createBusiness(stage.database.db),
      await createBusiness(stage.database.db),
      await createBusiness(stage.database.db),
    ];
    for (const scope of scopes) await send(scope);
    const waiting = scopes[2]!;
    await stage.database.owner`
    update messages set next_attempt_at = date_trunc('milliseconds', now()) + interval '1 hour'
    where business_id = ${waiting.businessId}`;
    const found: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await listPendingBusinesses(forPlatform(stage.database.db), { after, limit: 1 });
      if (page.length === 0) break;
      found.push(...page);
      after = page.at(-1);
    }
    expect(found).toContain(scopes[0]!.businessId);
    expect(found).toContain(scopes[1]!.businessId);
    expect(found).not.toContain(waiting.businessId);
    expect(new Set(found).size).toBe(found.length);
  });
});

describe("listPacedBusinesses", () => {
  test("finds the businesses that wait for their pace", async () => {
    const [paced, other] = [await createBusiness(stage.database.db), await createBusiness(stage.database.db)];
    for (const scope of [paced, paced, other]) await send(scope);
    await stage.database.owner`update messages set wait_reason = 'pacing' where business_id = ${paced.businessId}`;
    const found = await listPacedBusinesses(forPlatform(stage.database.db), { limit: 1_000 });
    expect(found.filter((id) => [paced.businessId, other.businessId].includes(id))).toEqual([paced.businessId]);
  });
});
