import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Media, MediaFetch, Message } from "../schema.ts";
import type { BusinessScope, PlatformScope } from "../scope.ts";
import { dueNow } from "../outbox/due_now.ts";

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

/** The pending fetch of a message, with WhatsApp's names of the message; undefined if there is none. */
export async function getFetch(
  scope: BusinessScope,
  messageId: string,
): Promise<(MediaFetch & Pick<Message, "chat" | "sender" | "wa_message_id" | "direction">) | undefined> {
  const [fetch] = await scope.ask<
    (MediaFetch & Pick<Message, "chat" | "sender" | "wa_message_id" | "direction">)[]
  >(sql`
    select f.*, m.chat, m.sender, m.wa_message_id, m.direction
    from media_fetches f join messages m on m.id = f.message_id
    where f.message_id = ${messageId} and f.business_id = ${scope.businessId}`);
  return fetch;
}

/** Postpones a fetch, with a new `pointer` if it changed. */
export async function postponeFetch(
  scope: BusinessScope,
  messageId: string,
  { at, error, pointer }: { at: Date; error: string; pointer?: MediaFetch["pointer"] | undefined },
): Promise<void> {
  await scope.ask(sql`
    update media_fetches
    set attempts = attempts + 1, next_attempt_at = ${at}, error = ${error}
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
