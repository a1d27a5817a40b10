import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Media, MediaFetch, Message } from "../schema.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";
import { dueNow } from "../outbox/due_now.ts";
import { claimedForS, claimOf } from "./claim.ts";
import type { Claim, ClaimRow } from "./claim.ts";

export type NewFetch = Pick<MediaFetch, "message_id" | "business_id" | "kind" | "pointer">;

/** Enqueues fetches for messages, in the transaction that inserts them. */
export async function addFetches(scope: PlatformScope, fetches: readonly NewFetch[]): Promise<void> {
  if (fetches.length === 0) return;
  await scope.ask(sql`
    insert into media_fetches (message_id, business_id, kind, pointer, next_attempt_at)
    select message_id, business_id, kind, pointer, ${dueNow}
    from jsonb_to_recordset(${toJson(fetches)}::jsonb) as r(message_id uuid, business_id uuid, kind text, pointer jsonb)
    on conflict (message_id) do nothing`);
}

/** A fetch with WhatsApp's names of its message; they are null if the message was removed. */
export type ClaimedFetch = MediaFetch & {
  [name in "chat" | "sender" | "wa_message_id" | "direction"]: Message[name] | null;
};

/** Claims the fetch of a business that is due first; counts the attempt. */
export async function claimFetch(scope: BusinessScope): Promise<Claim<ClaimedFetch>> {
  const [row] = await scope.ask<(ClaimRow & ClaimedFetch)[]>(sql`
    with next as (
      select message_id, next_attempt_at from media_fetches where business_id = ${scope.businessId}
      order by next_attempt_at limit 1 for update skip locked
    ), claimed as (
      update media_fetches f
      set attempts = f.attempts + 1, next_attempt_at = now() + make_interval(secs => ${claimedForS}::integer)
      from next where f.message_id = next.message_id and next.next_attempt_at <= now() returning f.*
    )
    select next.next_attempt_at as due_at, claimed.message_id is not null as is_claimed, claimed.*,
           m.chat, m.sender, m.wa_message_id, m.direction
    from next left join claimed on claimed.message_id = next.message_id
    left join messages m on m.id = claimed.message_id and m.business_id = claimed.business_id`);
  return claimOf(row);
}

/** Postpones a fetch, with a new `pointer` if it changed. */
export async function postponeFetch(
  scope: BusinessScope,
  messageId: string,
  { at, error, pointer }: { at: Date; error: string; pointer?: MediaFetch["pointer"] | undefined },
): Promise<void> {
  await scope.ask(sql`
    update media_fetches set next_attempt_at = ${at}, error = ${error}
        ${pointer === undefined ? sql`` : sql`, pointer = ${JSON.stringify(pointer)}::jsonb`}
    where message_id = ${messageId} and business_id = ${scope.businessId}`);
}

/** The result of a fetch: the stored media, or the error. */
export type Fetched = { media: Shown } | { error: string };

/** The fields of a media that a message's content shows. */
type Shown = Pick<Media, "id" | "mime" | "size" | "width" | "height" | "seconds">;

/** Ends a fetch and writes its result into the message; returns the message, or undefined if it had ended. */
export async function settleFetch(
  scope: BusinessScope,
  messageId: string,
  fetched: Fetched,
): Promise<Message | undefined> {
  const change = "media" in fetched ? shownOf(fetched.media) : { error: fetched.error };
  const [message] = await scope.ask<Message[]>(sql`
    with ended as (
      delete from media_fetches where message_id = ${messageId} and business_id = ${scope.businessId}
        returning message_id
    ), used as (
      update media set used_at = now() where business_id = ${scope.businessId}
        and id::text = ${"media" in fetched ? fetched.media.id : ""}
        and exists (select from ended)
    )
    update messages m
    set content = jsonb_set(m.content,
      '{media}', (m.content -> 'media') - 'pointer' || ${JSON.stringify(change)}::jsonb)
    from ended where m.id = ended.message_id and m.business_id = ${scope.businessId} returning m.*`);
  return message;
}

function shownOf({ id, mime, size, width, height, seconds }: Shown) {
  return {
    id,
    mime,
    size,
    ...(width === null ? {} : { width }),
    ...(height === null ? {} : { height }),
    ...(seconds === null ? {} : { seconds }),
  };
}
