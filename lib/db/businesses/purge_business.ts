import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Lists the ids of businesses that were deleted `days` ago or earlier and still have rows. */
export async function listDeletedBusinesses(
  scope: PlatformScope,
  { days, after, limit }: { days: number; after: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select id from businesses
    where deleted_at < now() - make_interval(days => ${days}::integer)
      ${after === undefined ? sql`` : sql`and id > ${after}`}
    order by id limit ${limit}`);
  return rows.map(({ id }) => id);
}

/** Removes a batch of a deleted business's rows (purge_business.sql); returns how many. */
export async function purgeBusiness(
  scope: PlatformScope,
  id: string,
  { days, batch }: { days: number; batch: number },
): Promise<number> {
  const [row] = await scope.ask<[{ removed: number }]>(sql`select purge_business(${id}, ${days}, ${batch}) as removed`);
  return row.removed;
}

export type StoredRecording = { recording_sid: string; storage_key: string };

/** Lists the recordings of a business that are still in the store. */
export async function listStoredRecordings(
  scope: PlatformScope,
  businessId: string,
  limit: number,
): Promise<StoredRecording[]> {
  return scope.ask<StoredRecording[]>(sql`
    select recording_sid, storage_key from call_recordings where business_id = ${businessId}
      and storage_key is not null limit ${limit}`);
}

/** Marks recordings as removed from the store. */
export async function forgetRecordings(scope: PlatformScope, recordingSids: readonly string[]): Promise<void> {
  if (recordingSids.length === 0) return;
  await scope.ask(sql`
    update call_recordings set status = 'absent', storage_key = null
      where recording_sid = any (${recordingSids}::text[])`);
}
