import { forgetOld, forPlatform, removeExpired } from "../../../lib/db/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";

/**
 * Deletes rows past their retention: deliveries, quarantined entries, answers to Idempotency-Keys, console sessions,
 * ended keys, audited reads.
 */
export function forget({ db, retention }: Pick<Deps, "db" | "retention">): Handler<"forget"> {
  const scope = forPlatform(db);
  return async ({ signal, stopping }) => {
    const counts = {
      deliveries: 0,
      quarantined: 0,
      idempotency_keys: 0,
      console_sessions: 0,
      ended_keys: 0,
      audit_reads: 0,
      group_receipts: 0,
    };
    for (;;) {
      signal.throwIfAborted();
      if (stopping.aborted) return { counts, again: { inMs: 0, reason: "the worker is stopping" } };
      const [old, expired] = [await forgetOld(scope, retention), await removeExpired(scope)];
      counts.deliveries += old.deliveries;
      counts.quarantined += old.quarantined;
      counts.ended_keys += old.keys;
      counts.audit_reads += old.reads;
      counts.group_receipts += old.groupReceipts;
      counts.idempotency_keys += expired.idempotency_keys;
      counts.console_sessions += expired.console_sessions;
      if (!old.more && !expired.more) return { counts };
    }
  };
}
