import { sql } from "../literal.ts";
import type { Statement } from "../literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Rows in one statement: a moment's work. */
const batch = 2_000;

export type Retention = {
  /** Deliveries of webhooks, from when they were made; the pending ones stay. */
  deliveryDays: number;
  quarantineDays: number;
};

export type Forgotten = { deliveries: number; quarantined: number; more: boolean };

/** Removes what is older than it is kept for, oldest first; call it again while it says that there is more. */
export async function forgetOld(scope: PlatformScope, { deliveryDays, quarantineDays }: Retention): Promise<Forgotten> {
  const remove = async (statement: Statement) => (await scope.ask(statement)).count;
  const deliveries = await remove(sql`
    delete from webhook_deliveries where id in (
      select id from webhook_deliveries
      where id < uuidv7_floor(now() - make_interval(days => ${deliveryDays}::integer)) and status <> 'pending'
      order by id limit ${batch})`);
  const quarantined = await remove(sql`
    delete from journal_quarantine where id in (
      select id from journal_quarantine where created_at < now() - make_interval(days => ${quarantineDays}::integer) limit ${batch})`);
  return { deliveries, quarantined, more: deliveries === batch || quarantined === batch };
}
