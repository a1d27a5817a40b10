import { uuidv7 } from "../core/ids.ts";
import { assignShard, forBusiness, forPlatform, insertBusiness, upsertSessions } from "../db/index.ts";
import type { BusinessScope, Database } from "../db/index.ts";

/** Creates a business that is assigned to `shard` and has no session. */
export async function createBusinessRow(db: Database, { id = uuidv7(), shard = 1 } = {}): Promise<BusinessScope> {
  const scope = forBusiness(db, id);
  await insertBusiness(forPlatform(db), { id, name: "A business", time_zone: "UTC" });
  await assignShard(scope, shard);
  return scope;
}

/** Creates a business on `shard` with an open session. With `paired` false it has neither assignment nor session. */
export async function createBusiness(db: Database, { shard = 1, paired = true } = {}): Promise<BusinessScope> {
  const id = uuidv7();
  const scope = forBusiness(db, id);
  await insertBusiness(forPlatform(db), { id, name: "A business", time_zone: "UTC" });
  if (!paired) return scope;
  await assignShard(scope, shard);
  const now = new Date();
  await upsertSessions(forPlatform(db), [
    {
      business_id: id,
      shard,
      status: "open",
      paired,
      phone: "5511900000001",
      lid: null,
      name: null,
      reason: null,
      since: now,
      observed_at: now,
    },
  ]);
  return scope;
}
