import { Hono } from "hono";
import type { Context } from "hono";
import { z } from "zod";
import { sharedNow } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { dueAt } from "../../../../lib/runtime/deadline.ts";
import { forBusiness, getMedia, storedRecording } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { SignedLink } from "../../../../lib/media-store/index.ts";
import { enforceReaderRate } from "../../../../lib/runtime/body_rate.ts";
import { once } from "../../../../lib/runtime/slots.ts";
import { countedSlots } from "../../http/counted_slots.ts";
import { noSuch } from "../../http/problem.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { ApiLimits } from "../../http/limits.ts";

const address = z.object({
  businessId: z.uuid(),
  id: z.string().max(64),
  variant: z.enum(["content", "thumbnail", "recording"]),
  expires: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  signature: z.string().max(200),
});

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Media types that browsers may display inline. Other types are served as attachments, never as pages. */
const inlineTypes =
  /^(image\/(jpeg|png|webp|gif|avif)|video\/(mp4|3gpp|webm)|audio\/(ogg|mpeg|mp4|aac|amr|wav|webm)|application\/pdf)$/;

/** Serves GET /v1/files/…: a file at a signed URL, without a key. The signature covers business, file and expiry. */
export function fileRoutes({ db, metrics, media: { store, signer } }: ApiDependencies, { files }: ApiLimits): Hono {
  const app = new Hono();
  const { slots, take } = countedSlots("files", files, metrics);
  const stalled = metrics.counter("api_files_stalled_total", "Downloads cut off because the client read too slowly.");
  app.get("/v1/files/:businessId/:id/:variant", async (c) => {
    const parsed = address.safeParse({ ...c.req.param(), ...c.req.query() });
    if (!parsed.success || !signer.verify(parsed.data, parsed.data.signature)) {
      throw new AppError(
        "forbidden",
        "The signature of this URL is invalid or has expired. Get the message or the file again for a new URL.",
      );
    }
    // The signature is valid, so the business exists. Holds the slot until the body ends.
    const { businessId } = parsed.data;
    take(businessId, "downloads", 2);
    const giveBack = once(() => slots.giveBack(businessId));
    try {
      const response = await answer(c, parsed.data, giveBack);
      if (response.body === null) giveBack();
      return response;
    } catch (error) {
      giveBack();
      throw error;
    }
  });

  const answer = async (c: Context, link: SignedLink, giveBack: () => void): Promise<Response> => {
    const file = await findFile(forBusiness(db, link.businessId, dueAt(c)), link);
    const object = file === undefined ? null : await store?.get(file.key);
    if (file === undefined || !object) throw noSuch("file");

    const { expires } = link;
    const { mime, etag } = file;
    const headers: Record<string, string> = {
      "content-type": inlineTypes.test(mime) ? mime : "application/octet-stream",
      ...(inlineTypes.test(mime) ? {} : { "content-disposition": "attachment" }),
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "cache-control": `private, max-age=${Math.max(0, expires - Math.floor(sharedNow() / 1_000))}, immutable`,
      etag,
      "accept-ranges": "bytes",
    };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    const range = parseRange(c.req.header("range"), object.size);
    if (range === "unsatisfiable") return c.body(null, 416, { ...headers, "content-range": `bytes */${object.size}` });
    const { start, end } = range ?? { start: 0, end: object.size };
    const partial: Record<string, string> =
      range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${object.size}` };
    const body = enforceReaderRate(object.bytes(start, end), files, (cutOff) => {
      if (cutOff) stalled.inc();
      giveBack();
    });
    return new Response(body, {
      status: range === undefined ? 200 : 206,
      headers: { ...headers, ...partial, "content-length": String(end - start) },
    });
  };
  return app;
}

type StoredFile = { key: string; mime: string; etag: string };

/** Finds a file's key in the object store; undefined if the business has no such file. */
async function findFile(scope: BusinessScope, { id, variant }: SignedLink): Promise<StoredFile | undefined> {
  if (variant === "recording") {
    const key = await storedRecording(scope, id);
    return key === undefined ? undefined : { key, mime: "audio/wav", etag: `"${id}"` };
  }
  const media = uuid.test(id) ? await getMedia(scope, id) : undefined;
  if (media === undefined) return undefined;
  if (variant === "content") return { key: media.storage_key, mime: media.mime, etag: `"${media.sha256}"` };
  return media.thumbnail_key === null
    ? undefined
    : { key: media.thumbnail_key, mime: "image/jpeg", etag: `"${media.sha256}-thumbnail"` };
}

/** Parses a Range header with one range. Undefined without one or with several: the whole file is then valid too. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}
