import { createHash, randomBytes } from "node:crypto";
import { sharedNow } from "../../../lib/core/time.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { claimUpload, finishUpload, forBusiness, getBusiness, getSession } from "../../../lib/db/index.ts";
import type { BusinessScope, ClaimedUpload, Media, UploadResult } from "../../../lib/db/index.ts";
import { encrypted, encryptedLength, HostRefusal, mediaKeys, unfitFor } from "../../../lib/media/index.ts";
import type { MediaPointer } from "../../../lib/media/index.ts";
import type { Handler } from "../../../lib/queues/index.ts";
import type { SealedObject } from "../../../lib/storage/index.ts";
import type { Deps } from "../deps.ts";
import { describe } from "./describe.ts";
import { takeFileTurn } from "./file_turn.ts";
import { allowedHosts, upload } from "./media_host.ts";

type Wanted = ClaimedUpload & { media: Media };

const delay = { baseMs: 1_000, maxMs: 300_000 };

/**
 * Uploads files of a business to WhatsApp's media host, each encrypted under a key of its own, and makes their messages
 * due. Uploads run ahead of the send and outside the shard, so that a large file delays only its own chats.
 */
export function prepareMedia(deps: Deps): Handler<"prepare_media"> {
  return async (run) => {
    const { business_id } = run.payload;
    const scope = forBusiness(deps.db, business_id);
    const counts = { uploaded: 0, refused: 0, postponed: 0 };
    return takeFileTurn(deps, "prepare_media", run, {
      counts,
      atOnce: 2,
      claim: () => claimUpload(scope),
      handle: async (wanted) => {
        const result = await prepare(deps, scope, wanted, run.signal);
        await finishUpload(scope, wanted, result);
        counts[countOf[result.status]] += 1;
        if (result.status === "pending") return undefined;
        deps.metrics.media(result.status === "ready" ? "uploaded" : "refused");
        // Best effort: the sweep retries a lost wake-up.
        await deps.producer.wake("send", { business_id }, { expedite: true }).catch(() => {});
        return undefined;
      },
    });
  };
}

const countOf = { ready: "uploaded", failed: "refused", pending: "postponed" } as const;

async function prepare(
  deps: Deps,
  scope: BusinessScope,
  upload: ClaimedUpload,
  signal: AbortSignal,
): Promise<UploadResult> {
  const { kind, media, attempts } = upload;
  if (media === null) return { status: "failed", error: "The file was deleted." };
  const unfit = unfitFor(kind, media);
  if (unfit !== undefined) return { status: "failed", error: unfit };
  try {
    if (deps.media === null) throw new AppError("unavailable", "STORAGE_URL is not set, so files cannot be sent.");
    const object = await deps.media.store.get(media.storage_key);
    if (object === null) return { status: "failed", error: "The content of the file is lost." };
    if (media.described_at === null) await describe(deps.media, scope, media, signal);
    return { status: "ready", pointer: await uploadObject(deps, scope, { ...upload, media }, object, signal) };
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
    const next_attempt_at = new Date(sharedNow() + Math.max(waitMs, backoff({ attempt: attempts, ...delay })));
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
