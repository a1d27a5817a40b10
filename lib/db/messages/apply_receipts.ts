import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { PlatformScope } from "../scope.ts";
import { changeFromJson } from "./status_change.ts";
import type { StatusChange } from "./status_change.ts";

export type Receipt = {
  business_id: string;
  wa_message_id: string;
  status: "sent" | "delivered" | "read" | "played" | "failed";
  at: Date;
  error_code?: string | undefined;
  error_message?: string | undefined;
};

export type ReceiptsApplied = {
  /** The messages that changed. */
  changed: StatusChange[];
  /** The number of receipts without a message. */
  unknown: number;
};

/**
 * Applies the receipts of many messages of many businesses in one call of a database function. Idempotent and
 * commutative: the status is the highest by rank, each time the earliest reported, and a receipt implies the lower ones
 * (a read message was delivered).
 */
export async function applyReceipts(scope: PlatformScope, receipts: Receipt[]): Promise<ReceiptsApplied> {
  if (receipts.length === 0) return { changed: [], unknown: 0 };
  const [applied] = await scope.ask<[{ changed: Parameters<typeof changeFromJson>[0][]; unknown: number }]>(
    sql`select * from apply_receipts(${toJson(receipts)}::jsonb)`,
  );
  return { changed: applied.changed.map(changeFromJson), unknown: applied.unknown };
}
