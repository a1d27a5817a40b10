import { deterministicUuidv7 } from "../../core/ids.ts";
import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { QuarantinedEntry } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

export type NewQuarantinedEntry = Pick<QuarantinedEntry, "shard" | "stream" | "seq" | "business_id" | "reason"> & {
  at: Date;
  entry: unknown;
};

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

export type QuarantineFilter = {
  shard?: number | undefined;
  stream?: string | undefined;
  business_id?: string | undefined;
};

/** An entry without its content, which may be a tenant's. */
export type QuarantineSummary = Omit<QuarantinedEntry, "entry"> & { bytes: number };

const summary = sql`id, shard, stream, seq::integer, business_id, reason, created_at, replay_requested_at,
  octet_length(entry) as bytes`;

const matching = ({ shard, stream, business_id }: QuarantineFilter) => sql`
  true ${shard === undefined ? sql`` : sql`and shard = ${shard}`}
  ${stream === undefined ? sql`` : sql`and stream = ${stream}`}
  ${business_id === undefined ? sql`` : sql`and business_id = ${business_id}`}`;

/** Quarantined entries, newest first. */
export function listQuarantine(
  scope: PlatformScope,
  { before, limit, ...filter }: QuarantineFilter & { before?: string | undefined; limit: number },
): Promise<QuarantineSummary[]> {
  return scope.ask(sql`
    select ${summary} from journal_quarantine
    where ${matching(filter)} ${before === undefined ? sql`` : sql`and id < ${before}`}
    order by id desc limit ${limit}`);
}

/** An entry of a business with its content, up to `maxBytes` of it. */
export async function getQuarantined(
  scope: PlatformScope,
  { business_id, id, maxBytes }: { business_id: string; id: string; maxBytes: number },
): Promise<(QuarantineSummary & { entry: string | null }) | undefined> {
  const [row] = await scope.ask<(QuarantineSummary & { entry: string | null })[]>(sql`
    select ${summary}, case when octet_length(entry) <= ${maxBytes} then entry end as entry
    from journal_quarantine where id = ${id} and business_id = ${business_id}`);
  return row;
}

/** Requests a replay of entries; returns their number. */
export async function requestReplay(
  scope: PlatformScope,
  { id, ...filter }: QuarantineFilter & { id?: string | undefined },
): Promise<number> {
  const { count } = await scope.ask(sql`
    update journal_quarantine q set replay_requested_at = coalesce(replay_requested_at, now())
    from (
      -- In one order, so that two requests never deadlock.
      select id from journal_quarantine where ${matching(filter)} ${id === undefined ? sql`` : sql`and id = ${id}`}
      order by id for update
    ) locked
    where q.id = locked.id`);
  return count;
}

/** Deletes an entry; false if there is none. */
export async function discardQuarantined(scope: PlatformScope, id: string): Promise<boolean> {
  return (await scope.ask(sql`delete from journal_quarantine where id = ${id}`)).count > 0;
}

/** The oldest entries whose replay was requested: at most `limit`, after `after`. */
export function entriesToReplay(
  scope: PlatformScope,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<QuarantinedEntry[]> {
  return scope.ask(sql`
    select * from journal_quarantine
    where replay_requested_at is not null ${after === undefined ? sql`` : sql`and id > ${after}`}
    order by id limit ${limit}`);
}

/** The replay of an entry failed: the entry stays, with the reason. */
export async function failReplay(scope: PlatformScope, id: string, reason: string): Promise<void> {
  await scope.ask(sql`
    update journal_quarantine set replay_requested_at = null, reason = ${reason} where id = ${id}`);
}
