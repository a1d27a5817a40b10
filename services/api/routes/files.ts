import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { forBusiness, getMedia } from "../../../lib/db/index.ts";
import type { SealedObject } from "../../../lib/storage/index.ts";
import type { ApiDependencies } from "../dependencies.ts";

const address = z.object({
  businessId: z.uuid(),
  mediaId: z.uuid(),
  variant: z.enum(["content", "thumbnail"]),
  expires: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  signature: z.string().max(200),
});

/** What browsers may show where they are; all else they are told to save, and never to take for a page. */
const shown = /^(image\/(jpeg|png|webp|gif|avif)|video\/(mp4|3gpp|webm)|audio\/(ogg|mpeg|mp4|aac|amr|wav|webm)|application\/pdf)$/;

/** GET /v1/files/…: a file at a signed address, without a key. The signature binds business, file and time. */
export function fileRoutes({ db, media: { store, signer } }: ApiDependencies): Hono {
  const app = new Hono();
  app.get("/v1/files/:businessId/:mediaId/:variant", async (c) => {
    const parsed = address.safeParse({ ...c.req.param(), ...c.req.query() });
    if (!parsed.success || !signer.verify(parsed.data, parsed.data.signature)) {
      throw new AppError(
        "forbidden",
        "This address is not one of ours, or its time is over; read the message or the media again for a new one.",
      );
    }
    const { businessId, mediaId, variant, expires } = parsed.data;
    const media = await getMedia(forBusiness(db, businessId), mediaId);
    const key = variant === "content" ? media?.storage_key : media?.thumbnail_key;
    const object = key == null ? null : await store?.get(key);
    if (!media || !object) throw new AppError("not_found", "There is no such file.");

    const mime = variant === "thumbnail" ? "image/jpeg" : media.mime;
    const etag = `"${media.sha256}${variant === "thumbnail" ? "-thumbnail" : ""}"`;
    const headers: Record<string, string> = {
      "content-type": shown.test(mime) ? mime : "application/octet-stream",
      ...(shown.test(mime) ? {} : { "content-disposition": "attachment" }),
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "cache-control": `private, max-age=${Math.max(0, expires - Math.floor(Date.now() / 1_000))}, immutable`,
      etag,
      "accept-ranges": "bytes",
    };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    const range = rangeIn(c.req.header("range"), object.size);
    if (range === "unsatisfiable") return c.body(null, 416, { ...headers, "content-range": `bytes */${object.size}` });
    const { start, end } = range ?? { start: 0, end: object.size };
    const partial: Record<string, string> = range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${object.size}` };
    return new Response(streamOf(object, start, end), {
      status: range === undefined ? 200 : 206,
      headers: { ...headers, ...partial, "content-length": String(end - start) },
    });
  });
  return app;
}

/** The one range that is asked for; undefined where none is, or several are: then the whole is an answer too. */
function rangeIn(header: string | undefined, size: number): { start: number; end: number } | "unsatisfiable" | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}

function streamOf(object: SealedObject, start: number, end: number): ReadableStream<Uint8Array> {
  const bytes = object.bytes(start, end);
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await bytes.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await bytes.return(undefined)),
  });
}
