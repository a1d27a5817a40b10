import { deterministicUuidv7 } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { QuarantinedEntry } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type NewQuarantinedEntry = Omit<QuarantinedEntry, "id" | "created_at" | "entry"> & { at: Date; entry: unknown };

/** Keeps journal entries that cannot be written where they belong. To keep one again changes nothing. */
export async function quarantineEntries(scope: PlatformScope, entries: readonly NewQuarantinedEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map(({ at, entry, ...row }) => {
    const json = JSON.stringify(entry);
    return {
      ...row,
      id: deterministicUuidv7(at.getTime(), String(row.shard), row.stream, String(row.seq), json),
      entry: json,
    };
  });
  await scope.ask(sql`
    insert into journal_quarantine (id, shard, stream, seq, business_id, reason, entry)
    select r.id, r.shard, r.stream, r.seq, r.business_id, r.reason, r.entry
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as r(id uuid, shard integer, stream text, seq bigint, business_id uuid, reason text, entry text)
    on conflict do nothing`);
}
