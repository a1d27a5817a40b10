import { Hono } from "hono";
import type { Context } from "hono";
import { z } from "zod";
import { sharedNow } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { forBusiness, getMedia, storedRecording } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { SignedLink } from "../../../../lib/media-store/index.ts";
import { pacedResponse } from "../../../../lib/runtime/paced.ts";
import { once } from "../../../../lib/runtime/slots.ts";
import { countedSlots } from "../../http/admission.ts";
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

/** What browsers may show where they are; all else they are told to save, and never to take for a page. */
const shown =
  /^(image\/(jpeg|png|webp|gif|avif)|video\/(mp4|3gpp|webm)|audio\/(ogg|mpeg|mp4|aac|amr|wav|webm)|application\/pdf)$/;

/** GET /v1/files/…: a file at a signed address, without a key. The signature binds business, file and time. */
export function fileRoutes({ db, metrics, media: { store, signer } }: ApiDependencies, { files }: ApiLimits): Hono {
  const app = new Hono();
  const { slots, take } = countedSlots("files", files, metrics);
  const stalled = metrics.counter(
    "api_files_stalled_total",
    "Reads of files that were cut off because their reader was too slow.",
  );
  app.get("/v1/files/:businessId/:id/:variant", async (c) => {
    const parsed = address.safeParse({ ...c.req.param(), ...c.req.query() });
    if (!parsed.success || !signer.verify(parsed.data, parsed.data.signature)) {
      throw new AppError(
        "forbidden",
        "This address is not one of ours, or its time is over; read the message or the media again for a new one.",
      );
    }
    // The signature is ours, so the business is known. The slot is held until the body ends.
    const { businessId } = parsed.data;
    take(businessId, "reads of files", 2);
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
    const file = await fileAt(forBusiness(db, link.businessId), link);
    const object = file === undefined ? null : await store?.get(file.key);
    if (file === undefined || !object) throw new AppError("not_found", "There is no such file.");

    const { expires } = link;
    const { mime, etag } = file;
    const headers: Record<string, string> = {
      "content-type": shown.test(mime) ? mime : "application/octet-stream",
      ...(shown.test(mime) ? {} : { "content-disposition": "attachment" }),
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "cache-control": `private, max-age=${Math.max(0, expires - Math.floor(sharedNow() / 1_000))}, immutable`,
      etag,
      "accept-ranges": "bytes",
    };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    const range = rangeIn(c.req.header("range"), object.size);
    if (range === "unsatisfiable") return c.body(null, 416, { ...headers, "content-range": `bytes */${object.size}` });
    const { start, end } = range ?? { start: 0, end: object.size };
    const partial: Record<string, string> =
      range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${object.size}` };
    const body = pacedResponse(object.bytes(start, end), files, (cutOff) => {
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

type File = { key: string; mime: string; etag: string };

/** Where a file lies in the store; undefined where the business has none of that name. */
async function fileAt(scope: BusinessScope, { id, variant }: SignedLink): Promise<File | undefined> {
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

/** The one range that is asked for; undefined where none is, or several are: then the whole is an answer too. */
function rangeIn(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}
