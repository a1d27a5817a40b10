import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";

/** Lists the endpoints with due deliveries that do not back off, in order; pass the last as `after` to page. */
export async function listDueWebhooks(
  scope: PlatformScope,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await scope.ask<{ id: string }[]>(sql`
    select w.id from webhooks w
    where w.id > ${after ?? "00000000-0000-0000-0000-000000000000"} and w.deleted_at is null and w.status <> 'disabled'
      and (w.next_attempt_at is null or w.next_attempt_at <= now())
      and exists (select from webhook_deliveries d where d.webhook_id = w.id and d.status = 'pending'
        and d.next_attempt_at <= now())
    order by w.id
    limit ${limit}`);
  return rows.map(({ id }) => id);
}
