import { toJson } from "../client/json.ts";
import { sql } from "../client/literal.ts";
import type { Media, MediaUpload } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";
import { dueNow } from "../outbox/due_now.ts";
import { claimedForS, claimOf } from "./claim.ts";
import type { Claim, ClaimRow } from "./claim.ts";

/** WhatsApp keeps an unfetched upload for about a month; older ones are uploaded again. */
const goodForDays = 14;

/** A refusal applies to the messages that waited; later messages retry the upload. */
const refusedForS = 60;

/** Delay of the sweep: by then the messages that wait for the upload are recorded. */
const sweptAfterS = 2;

export type WantedUpload = Pick<MediaUpload, "media_id" | "kind">;

/** The state of an upload with the properties of its media; `media` is null if that was deleted. */
export type UploadState = WantedUpload &
  Pick<MediaUpload, "status" | "pointer" | "error"> & {
    media: Pick<Media, "mime" | "size" | "width" | "height" | "seconds" | "preview"> | null;
  };

/** Returns the states of uploads; an unknown or expired one becomes pending. */
export async function wantUploads(scope: BusinessScope, wanted: readonly WantedUpload[]): Promise<UploadState[]> {
  if (wanted.length === 0) return [];
  return scope.ask<UploadState[]>(sql`
    with wanted as (
      select distinct media_id, kind from jsonb_to_recordset(${toJson(wanted)}::jsonb) as r(media_id uuid, kind text)
    ), known as (
      select w.media_id, w.kind, m.mime, m.size, m.width, m.height, m.seconds, m.preview, m.id is not null as present
      from wanted w left join media m on m.id = w.media_id and m.business_id = ${scope.businessId}
        and m.status = 'stored' and m.deleted_at is null
    ), asked as (
      insert into media_uploads as u (media_id, kind, business_id, next_attempt_at)
      select media_id, kind, ${scope.businessId}::uuid, now() + make_interval(secs => ${sweptAfterS}::integer)
        from known where present order by media_id, kind
      on conflict (media_id, kind) do update
        set status = 'pending', pointer = null, error = null, settled_at = null, attempts = 0,
          next_attempt_at = excluded.next_attempt_at
        where u.settled_at < now() - case
          when u.status = 'failed' then make_interval(secs => ${refusedForS}::integer)
            else make_interval(days => ${goodForDays}::integer)
        end
      returning media_id, kind
    )
    select k.media_id, k.kind,
           case when not k.present then 'failed' when asked.kind is not null then 'pending' else u.status end as status,
           case when asked.kind is null then u.pointer end as pointer, case when asked.kind is null
             then u.error end as error,
           case when k.present then
             jsonb_build_object('mime', k.mime, 'size', k.size, 'width', k.width, 'height', k.height, 'seconds',
               k.seconds, 'preview', k.preview)
           end as media
    from known k
    left join asked using (media_id, kind)
    left join media_uploads u using (media_id, kind)`);
}

/** Makes uploads due, once the messages that wait for them are recorded. */
export async function releaseUploads(scope: BusinessScope, wanted: readonly WantedUpload[]): Promise<void> {
  if (wanted.length === 0) return;
  await scope.ask(sql`
    update media_uploads u set next_attempt_at = ${dueNow}
    from jsonb_to_recordset(${toJson(wanted)}::jsonb) as w(media_id uuid, kind text)
    where u.media_id = w.media_id and u.kind = w.kind and u.business_id = ${scope.businessId}
      and u.status = 'pending' and u.attempts = 0`);
}

/** A pending upload with its media, which is null if it was deleted. */
export type ClaimedUpload = MediaUpload & { media: Media | null };

/** Claims the pending upload of a business that is due first; counts the attempt. */
export async function claimUpload(scope: BusinessScope): Promise<Claim<ClaimedUpload>> {
  const [row] = await scope.ask<(ClaimRow & ClaimedUpload)[]>(sql`
    with next as (
      select media_id, kind, next_attempt_at from media_uploads
      where business_id = ${scope.businessId} and status = 'pending'
      order by next_attempt_at limit 1 for update skip locked
    ), claimed as (
      update media_uploads u
      set attempts = u.attempts + 1, next_attempt_at = now() + make_interval(secs => ${claimedForS}::integer)
      from next where u.media_id = next.media_id and u.kind = next.kind and next.next_attempt_at <= now()
      returning u.*
    )
    select next.next_attempt_at as due_at, claimed.media_id is not null as is_claimed, claimed.*, to_jsonb(m) as media
    from next left join claimed on claimed.media_id = next.media_id and claimed.kind = next.kind
    left join media m on m.id = claimed.media_id and m.deleted_at is null`);
  return claimOf(row);
}

export type UploadResult =
  | { status: "ready"; pointer: NonNullable<MediaUpload["pointer"]> }
  | { status: "failed"; error: string }
  | { status: "pending"; error: string; next_attempt_at: Date };

/** Records the result of an upload; a final result makes the waiting messages due. */
export async function finishUpload(
  scope: BusinessScope,
  { media_id, kind }: WantedUpload,
  result: UploadResult,
): Promise<void> {
  const { pointer, error, next } = {
    pointer: result.status === "ready" ? JSON.stringify(result.pointer) : null,
    error: result.status === "ready" ? null : result.error,
    next: result.status === "pending" ? result.next_attempt_at : null,
  };
  await scope.ask(sql`
    with ended as (
      update media_uploads
      set status = ${result.status}, pointer = ${pointer}::jsonb, error = ${error}, next_attempt_at = ${next},
          settled_at = case when ${result.status} <> 'pending' then now() end
      where media_id = ${media_id} and kind = ${kind} and business_id = ${scope.businessId} and status = 'pending'
      returning status
    ), waiting as (
      -- In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
      select id from messages
      where business_id = ${scope.businessId} and status = 'queued' and wait_reason = 'upload'
        and content -> 'media' ->> 'id' = ${media_id} and exists (select from ended where status <> 'pending')
      order by id for update
    )
    update messages m set next_attempt_at = ${dueNow}, wait_reason = null from waiting where m.id = waiting.id`);
}
