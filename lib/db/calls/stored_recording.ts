import { and, eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { callRecordings } from "./schema.ts";

/** The storage key of a recording; undefined if the business has no stored recording of that sid. */
export async function storedRecording(scope: BusinessScope, recordingSid: string): Promise<string | undefined> {
  const { recording_sid, business_id, status, storage_key } = callRecordings;
  const [row] = await fetchRows(
    scope,
    query
      .select({ storage_key })
      .from(callRecordings)
      .where(and(eq(recording_sid, recordingSid), eq(business_id, scope.businessId), eq(status, "stored"))),
  );
  return row?.storage_key ?? undefined;
}
