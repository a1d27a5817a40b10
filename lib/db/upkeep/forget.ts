import { sql } from "../client/literal.ts";
import type { Statement } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Rows per statement, so that each takes milliseconds. */
const batch = 2_000;

export type Retention = {
  /** Webhook deliveries, by their creation; pending ones stay. */
  deliveryDays: number;
  quarantineDays: number;
  /** Keys of businesses, by their end. Admin keys stay: a deploy would store the first one again. */
  endedKeyDays: number;
  /** The audit of reads by admin keys. */
  auditReadDays: number;
  /** Receipts of group members; their counts stay. */
  groupReceiptDays: number;
};

export type Forgotten = {
  deliveries: number;
  quarantined: number;
  keys: number;
  reads: number;
  groupReceipts: number;
  more: boolean;
};

/**
 * Removes rows beyond their retention, oldest first; call it again while it returns `more`. Skips locked rows, such as
 * deliveries that are being replayed: waiting for several in any order could deadlock.
 */
export async function forgetOld(
  scope: PlatformScope,
  { deliveryDays, quarantineDays, endedKeyDays, auditReadDays, groupReceiptDays }: Retention,
): Promise<Forgotten> {
  const remove = async (statement: Statement) => (await scope.ask(statement)).count;
  const deliveries = await remove(sql`
    delete from webhook_deliveries where id in (
      select id from webhook_deliveries
      where id < uuidv7_floor(now() - make_interval(days => ${deliveryDays}::integer)) and status <> 'pending'
      order by id limit ${batch} for update skip locked)`);
  const quarantined = await remove(sql`
    delete from journal_quarantine where id in (
      select id from journal_quarantine where created_at < now() - make_interval(days => ${quarantineDays}::integer)
        limit ${batch} for update skip locked)`);
  const keys = await remove(sql`
    delete from api_keys where id in (
      select id from api_keys
      where business_id is not null and least(revoked_at,
        expires_at) < now() - make_interval(days => ${endedKeyDays}::integer)
      limit ${batch} for update skip locked)`);
  const reads = await remove(sql`
    delete from audit_reads where id in (
      select id from audit_reads where id < uuidv7_floor(now() - make_interval(days => ${auditReadDays}::integer))
        order by id limit ${batch} for update skip locked)`);
  const groupReceipts = await remove(sql`
    delete from group_receipts where ctid = any (array(
      select ctid from group_receipts
      where message_id < uuidv7_floor(now() - make_interval(days => ${groupReceiptDays}::integer))
      order by message_id limit ${batch} for update skip locked))`);
  const counts = { deliveries, quarantined, keys, reads, groupReceipts };
  return { ...counts, more: Object.values(counts).includes(batch) };
}
