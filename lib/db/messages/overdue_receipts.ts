import { uuidv7Floor } from "../../core/ids.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Stored name of the progress mark; an older version, which a deploy runs beside this one, uses it too. */
const mark = "overdue_ticks";

/** The time up to which messages were checked; `first` before the first check. */
export async function receiptsCheckedUntil(scope: PlatformScope, first: Date): Promise<Date> {
  const [row] = await scope.ask<{ at: Date }[]>(sql`select at from progress_marks where name = ${mark}`);
  return row?.at ?? first;
}

/** Records the time up to which messages were checked. */
export async function advanceReceiptsCheck(scope: PlatformScope, at: Date): Promise<void> {
  await scope.ask(sql`
    insert into progress_marks (name, at) values (${mark}, ${at})
    on conflict (name) do update set at = excluded.at where progress_marks.at < excluded.at`);
}

export type Window = { from: Date; to: Date };

/** Lists the shards of businesses whose messages in a time window have no receipt. */
export async function shardsWithoutReceipts(scope: PlatformScope, window: Window): Promise<number[]> {
  const rows = await scope.ask<{ shard: number }[]>(sql`
    select distinct b.whatsapp_shard as shard
    from messages m join businesses b on b.id = m.business_id
    where ${withoutReceipts(window)} and b.whatsapp_shard is not null
    order by 1`);
  return rows.map(({ shard }) => shard);
}

/** Marks the messages of these shards that still have no receipt; returns how many. */
export async function markReceiptsOverdue(
  scope: PlatformScope,
  window: Window,
  shards: readonly number[],
): Promise<number> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    update messages marked set ticks_overdue_at = now()
    from (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select m.id from messages m join businesses b on b.id = m.business_id
      where ${withoutReceipts(window)} and b.whatsapp_shard = any(${shards.map(String)}::integer[])
      order by m.id for update of m
    ) locked
    where marked.id = locked.id
    returning marked.id`);
  return rows.length;
}

/**
 * A group message that any member received is not overdue: the others may have their phones off.
 *
 * A time window is a range of the primary key, because ids begin with their time. Only messages that we handed to a
 * shard are certain to get receipts.
 */
const withoutReceipts = ({ from, to }: Window) => sql`
  m.id >= ${uuidv7Floor(from.getTime())} and m.id < ${uuidv7Floor(to.getTime())}
  and m.direction = 'outbound' and m.status = 'sent' and m.attempts > 0 and m.ticks_overdue_at is null
  and m.group_delivered is null`;
