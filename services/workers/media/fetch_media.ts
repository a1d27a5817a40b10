import { sharedNow } from "../../../lib/core/time.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { claimFetch, forBusiness, getBusiness, postponeFetch, settleFetch } from "../../../lib/db/index.ts";
import type { BusinessScope, ClaimedFetch, Fetched, Media, MediaFetch } from "../../../lib/db/index.ts";
import { commitWithEvents } from "../../../lib/events/index.ts";
import { decrypted, download, HostRefusal, maxBytes, MediaMismatch, mediaKeys } from "../../../lib/media/index.ts";
import { storeMedia } from "../../../lib/media-store/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { Deps } from "../deps.ts";
import { mediaSettled } from "../events/domain_events.ts";
import { describe } from "./describe.ts";
import { takeFileTurn } from "./file_turn.ts";
import type { MediaDeps } from "./media_deps.ts";

const delay = { baseMs: 5_000, maxMs: 1_800_000 };
/** About eight hours of an unavailable host or a phone that is off. */
const maxAttempts = 20;
/** A download may be truncated; a file that the sender corrupted stays corrupt. */
const maxMismatches = 3;

/** A later attempt may succeed, perhaps with another pointer. */
class RetryLater extends Error {
  readonly pointer: MediaFetch["pointer"] | undefined;

  constructor(message: string, pointer?: MediaFetch["pointer"]) {
    super(message);
    this.pointer = pointer;
  }
}

/** Downloads files of a business's messages into the store and announces them. */
export function fetchMedia(deps: Deps): Handler<"fetch_media"> {
  return async (run) => {
    const { business_id } = run.payload;
    const counts = { fetched: 0, failed: 0, postponed: 0 };
    const { media } = deps;
    if (media === null) {
      deps.logger.warn({ business_id }, "files are pending: set STORAGE_URL to fetch them");
      return { counts };
    }
    const scope = forBusiness(deps.db, business_id);
    return takeFileTurn(deps, "fetch_media", run, {
      counts,
      atOnce: 2,
      claim: () => claimFetch(scope),
      handle: async (fetch) => {
        counts[await fetchOne(deps, media, scope, fetch, run.signal)] += 1;
        return undefined;
      },
    });
  };
}

async function fetchOne(
  deps: Deps,
  media: MediaDeps,
  scope: BusinessScope,
  fetch: ClaimedFetch,
  signal: AbortSignal,
): Promise<"fetched" | "failed" | "postponed"> {
  const { message_id, attempts } = fetch;
  try {
    if (attempts > maxAttempts) throw new Error("no attempt ended with a result");
    const fetched = await fetchFile(deps, media, scope, fetch, signal);
    await settle(deps, media, scope, message_id, { media: fetched });
    deps.metrics.media("fetched");
    return "fetched";
  } catch (error) {
    signal.throwIfAborted();
    const final = finalReason(error, attempts);
    if (final === undefined) {
      const inMs = error instanceof RetryLater && error.pointer ? 0 : backoff({ attempt: attempts, ...delay });
      const pointer = error instanceof RetryLater ? error.pointer : undefined;
      await postponeFetch(scope, message_id, { at: new Date(sharedNow() + inMs), error: messageOf(error), pointer });
      return "postponed";
    }
    deps.logger.warn(
      { business_id: scope.businessId, message_id, reason: final, error: messageOf(error) },
      "the file of a message cannot be fetched",
    );
    await settle(deps, media, scope, message_id, { error: final });
    deps.metrics.media("failed");
    return "failed";
  }
}

async function fetchFile(
  deps: Deps,
  media: MediaDeps,
  scope: BusinessScope,
  fetch: ClaimedFetch,
  signal: AbortSignal,
): Promise<Media> {
  const { store, host, quota } = media;
  const { kind, pointer } = fetch;
  if (pointer.file_length > maxBytes[kind]) throw tooLarge(kind);
  const proxy = await proxyOf(media, scope);
  const room = await quota.hold(scope, pointer.file_length);
  const content = decrypted(download(host, pointer.direct_path, { signal, proxy }), {
    keys: mediaKeys(Buffer.from(pointer.media_key, "base64"), kind),
    fileSha256: Buffer.from(pointer.file_sha256, "base64"),
    fileEncSha256: Buffer.from(pointer.file_enc_sha256, "base64"),
    maxBytes: maxBytes[kind],
  });
  try {
    const options = { maxBytes: maxBytes[kind], onSize: room.size };
    const { media: kept, fresh } = await storeMedia(scope, store, content, options);
    if (fresh) room.keep();
    return kept.described_at === null ? ((await describe(media, scope, kept, signal)) ?? kept) : kept;
  } catch (error) {
    if (error instanceof HostRefusal && error.isGone) throw await requestReupload(deps, scope, fetch);
    throw error;
  } finally {
    room.release();
  }
}

async function proxyOf({ egress }: MediaDeps, scope: BusinessScope): Promise<string | undefined> {
  if (egress === undefined) return undefined;
  const business = await getBusiness(scope);
  return egress.urlOf({ id: scope.businessId, shard: business?.whatsapp_shard ?? null });
}

/** Asks the phone to upload a file again that the host has deleted; returns the error of this attempt. */
async function requestReupload(deps: Deps, scope: BusinessScope, fetch: ClaimedFetch): Promise<Error> {
  const business = await getBusiness(scope);
  if (!business) return new AppError("not_found", "The business is gone.");
  const { chat, sender, wa_message_id, direction, pointer } = fetch;
  if (chat === null || wa_message_id === null) return new AppError("not_found", "The message is gone.");
  const request = { wa_message_id, chat, from_me: direction === "outbound", sender, media_key: pointer.media_key };
  try {
    const path = await deps.shardMedia.reupload(deps.router.locate(business), business.id, request);
    if (path === null) return new AppError("not_found", "Neither the host nor the phone has the file.");
    return new RetryLater("the phone has uploaded the file again", { ...pointer, direct_path: path });
  } catch (error) {
    return new RetryLater(`the host deleted the file, and the phone cannot be asked: ${messageOf(error)}`);
  }
}

const tooLarge = (kind: MediaFetch["kind"]) =>
  new AppError("too_large", `A file of the kind ${kind} may have up to ${maxBytes[kind]} bytes.`);

/** Error code if the file will never arrive; undefined if a later attempt may succeed. */
function finalReason(error: unknown, attempts: number): string | undefined {
  if (error instanceof AppError && error.code === "too_large") return "too_large";
  if (error instanceof AppError && error.code === "quota_exceeded") return "quota_exceeded";
  if (error instanceof AppError && error.code === "not_found") return "gone";
  if (error instanceof MediaMismatch && attempts >= maxMismatches) return "mismatch";
  return attempts >= maxAttempts ? "unreachable" : undefined;
}

/** Records the result in the message, together with its event. */
async function settle(
  deps: Deps,
  { signer }: MediaDeps,
  scope: BusinessScope,
  messageId: string,
  fetched: Fetched,
): Promise<void> {
  await commitWithEvents(deps.publishEvents, scope, async (together) => {
    const message = await settleFetch(together, messageId, fetched);
    return { result: undefined, events: message ? mediaSettled(message, signer) : [] };
  });
}
