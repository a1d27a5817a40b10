import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { forBusiness, getMedia, storedRecording } from "../../../lib/db/index.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import type { SignedLink } from "../../../lib/media-store/index.ts";
import type { SealedObject } from "../../../lib/storage/index.ts";
import type { ApiDependencies } from "../dependencies.ts";

const address = z.object({
  businessId: z.uuid(),
  id: z.string().max(64),
  variant: z.enum(["content", "thumbnail", "recording"]),
  expires: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  signature: z.string().max(200),
});

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What browsers may show where they are; all else they are told to save, and never to take for a page. */
const shown = /^(image\/(jpeg|png|webp|gif|avif)|video\/(mp4|3gpp|webm)|audio\/(ogg|mpeg|mp4|aac|amr|wav|webm)|application\/pdf)$/;

/** GET /v1/files/…: a file at a signed address, without a key. The signature binds business, file and time. */
export function fileRoutes({ db, media: { store, signer } }: ApiDependencies): Hono {
  const app = new Hono();
  app.get("/v1/files/:businessId/:id/:variant", async (c) => {
    const parsed = address.safeParse({ ...c.req.param(), ...c.req.query() });
    if (!parsed.success || !signer.verify(parsed.data, parsed.data.signature)) {
      throw new AppError(
        "forbidden",
        "This address is not one of ours, or its time is over; read the message or the media again for a new one.",
      );
    }
    const file = await fileAt(forBusiness(db, parsed.data.businessId), parsed.data);
    const object = file === undefined ? null : await store?.get(file.key);
    if (file === undefined || !object) throw new AppError("not_found", "There is no such file.");

    const { expires } = parsed.data;
    const { mime, etag } = file;
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
  return media.thumbnail_key === null ? undefined : { key: media.thumbnail_key, mime: "image/jpeg", etag: `"${media.sha256}-thumbnail"` };
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
