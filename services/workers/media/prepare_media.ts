import { createHash, randomBytes } from "node:crypto";
import { sharedNow } from "../../../lib/core/time.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { finishUpload, forBusiness, getBusiness, getSession, pendingUpload } from "../../../lib/db/index.ts";
import type { BusinessScope, UploadResult } from "../../../lib/db/index.ts";
import { encrypted, encryptedLength, HostRefusal, mediaKeys, unfitFor } from "../../../lib/media/index.ts";
import type { MediaPointer } from "../../../lib/media/index.ts";
import type { Handler, RunResult } from "../../../lib/queues/index.ts";
import type { SealedObject } from "../../../lib/storage/index.ts";
import type { Deps } from "../deps.ts";
import { describe } from "./describe.ts";
import { allowedHosts, upload } from "./media_host.ts";

type Wanted = NonNullable<Awaited<ReturnType<typeof pendingUpload>>>;

const delay = { baseMs: 1_000, maxMs: 300_000 };

/**
 * Uploads a file to WhatsApp's media host, encrypted under a key of its own, and makes its messages due. Uploads run
 * ahead of the send and outside the shard, so that a large file delays only its own chats.
 */
export function prepareMedia(deps: Deps): Handler<"prepare_media"> {
  return async ({ payload: { business_id, media_id, kind }, signal }): Promise<RunResult> => {
    const scope = forBusiness(deps.db, business_id);
    const wanted = await pendingUpload(scope, { media_id, kind });
    if (wanted === undefined) return { counts: { uploaded: 0 } };
    const result = await prepare(deps, scope, wanted, signal);
    await finishUpload(scope, wanted, result);
    if (result.status === "pending") {
      const inMs = Math.max(0, result.next_attempt_at.getTime() - sharedNow());
      return { counts: { uploaded: 0 }, again: { inMs, reason: result.error } };
    }
    deps.metrics.media(result.status === "ready" ? "uploaded" : "refused");
    // Best effort: the sweep retries a lost wake-up.
    await deps.producer.wake("send", { business_id }, { expedite: true }).catch(() => {});
    return { counts: { uploaded: result.status === "ready" ? 1 : 0, refused: result.status === "failed" ? 1 : 0 } };
  };
}

async function prepare(deps: Deps, scope: BusinessScope, wanted: Wanted, signal: AbortSignal): Promise<UploadResult> {
  const { kind, media, attempts } = wanted;
  const unfit = unfitFor(kind, media);
  if (unfit !== undefined) return { status: "failed", error: unfit };
  try {
    if (deps.media === null) throw new AppError("unavailable", "STORAGE_URL is not set, so files cannot be sent.");
    const object = await deps.media.store.get(media.storage_key);
    if (object === null) return { status: "failed", error: "The content of the file is lost." };
    if (media.described_at === null) await describe(deps.media, scope, media, signal);
    return { status: "ready", pointer: await uploadObject(deps, scope, wanted, object, signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (
      error instanceof AppError &&
      (error.code === "conflict" || error.code === "not_found") &&
      !(await isPaired(scope))
    ) {
      return { status: "failed", error: "The business has no paired WhatsApp; connect it and send the message again." };
    }
    // Retries end when the waiting message expires.
    const waitMs = error instanceof AppError ? (error.retryAfterS ?? 0) * 1_000 : 0;
    const next_attempt_at = new Date(sharedNow() + Math.max(waitMs, backoff({ attempt: attempts + 1, ...delay })));
    return { status: "pending", error: messageOf(error), next_attempt_at };
  }
}

const isPaired = async (scope: BusinessScope): Promise<boolean> => (await getSession(scope))?.paired ?? false;

/** Reads the content twice, because the host requires the hash ahead of the content. */
async function uploadObject(
  deps: Deps,
  scope: BusinessScope,
  { kind, media }: Wanted,
  object: SealedObject,
  signal: AbortSignal,
): Promise<MediaPointer> {
  const business = await getBusiness(scope);
  if (!business) throw new AppError("not_found", "The business is gone.");
  const mediaKey = randomBytes(32);
  const keys = mediaKeys(mediaKey, kind);
  const fileEncSha256 = await hashOf(encrypted(object.bytes(), keys));
  const file = { kind, fileEncSha256, length: encryptedLength(object.size), signal };
  return {
    direct_path: await uploadTo(deps, business, () => ({ ...file, bytes: encrypted(object.bytes(), keys) })),
    media_key: mediaKey.toString("base64"),
    file_sha256: Buffer.from(media.sha256, "hex").toString("base64"),
    file_enc_sha256: fileEncSha256.toString("base64"),
    file_length: object.size,
    media_key_at: Math.floor(sharedNow() / 1_000),
  };
}

type Business = NonNullable<Awaited<ReturnType<typeof getBusiness>>>;
type Encrypted = Omit<Parameters<typeof upload>[0], "host" | "auth" | "proxy">;

/** Tries each host in turn, then once more with a new token. */
async function uploadTo(
  { router, shardMedia, media }: Deps,
  business: Business,
  file: () => Encrypted,
): Promise<string> {
  let last: unknown = new HostRefusal(0, "WhatsApp offered no permitted media host.");
  for (const renew of [false, true]) {
    const { auth, hosts } = await shardMedia.connection(router.locate(business), business.id, renew);
    const proxy = media!.egress?.urlOf({ id: business.id, shard: business.whatsapp_shard });
    for (const host of allowedHosts(hosts, media!.host)) {
      try {
        return await upload({ ...file(), host, auth, proxy });
      } catch (error) {
        if (!(error instanceof HostRefusal)) throw error;
        last = error;
      }
    }
  }
  throw last;
}

async function hashOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest();
}
