import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";
import { ownerId } from "../keys/key_owner.ts";
import { idempotencyTtlHours } from "../outbox/submit_message.ts";

/** Owner of the keys of admin requests, which belong to no business. */
const platformOwner = "00000000-0000-0000-0000-000000000000";

export type Answer = { status: number; response: Record<string, unknown> };
export type Once = ({ outcome: "fresh" | "replayed" } & Answer) | { outcome: "mismatched" };

type Stored = Answer & { fingerprint: string };

/**
 * Does `work` once for an Idempotency-Key, in one transaction with remembering its answer: the same key and fingerprint
 * get that answer again, for a day. Of parallel calls with one key one works and the others wait for it. Work that
 * throws leaves the key free.
 */
export function once<S extends BusinessScope | PlatformScope>(
  scope: S,
  { key, fingerprint }: { key: string; fingerprint: string },
  work: (scope: S) => Promise<Answer>,
): Promise<Once> {
  const owner = ownerId(scope) ?? platformOwner;
  return atomically(scope, async (inner): Promise<Once> => {
    const taken = await inner.ask(sql`
      insert into idempotency_keys (business_id, key, fingerprint, status, response, expires_at)
      values (${owner}, ${key}, ${fingerprint}, 0, '{}', now() + make_interval(hours => ${idempotencyTtlHours}))
      on conflict (business_id, key) do update
        set fingerprint = excluded.fingerprint, status = excluded.status, response = excluded.response,
            created_at = now(), expires_at = excluded.expires_at
        where idempotency_keys.expires_at <= now()`);
    if (taken.count === 0) {
      const [stored] = await inner.ask<[Stored]>(sql`
        select fingerprint, status, response from idempotency_keys where business_id = ${owner} and key = ${key}`);
      if (stored.fingerprint !== fingerprint) return { outcome: "mismatched" };
      return { outcome: "replayed", status: stored.status, response: stored.response };
    }
    const answer = await work(inner);
    await inner.ask(sql`
      update idempotency_keys set status = ${answer.status}, response = ${toJson(answer.response)}::jsonb
      where business_id = ${owner} and key = ${key}`);
    return { outcome: "fresh", ...answer };
  });
}
