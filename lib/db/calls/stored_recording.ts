import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";

/** Where a recording of the business lies in the store; undefined where it has none of that sid there. */
export async function storedRecording(scope: BusinessScope, recordingSid: string): Promise<string | undefined> {
  const [row] = await scope.ask<{ storage_key: string }[]>(sql`
    select storage_key from call_recordings
    where recording_sid = ${recordingSid} and business_id = ${scope.businessId} and status = 'stored'`);
  return row?.storage_key;
}
