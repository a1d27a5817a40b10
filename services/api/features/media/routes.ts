import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { deleteMedia, forBusiness, getMedia } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { contradicts, maxMediaBytes } from "../../../../lib/media/index.ts";
import { storeMedia } from "../../../../lib/media-store/index.ts";
import type { MediaQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { fileOfForm, isForm } from "./form_file.ts";
import { mediaSchema } from "./schemas.ts";
import { mediaView, signedUrlS } from "./view.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, parseId, mediaParams } from "../../http/params.ts";

const tags = ["Media"];
const json = { "application/json": { schema: mediaSchema } };

const uploadHeaders = z.object({
  "content-digest": z
    .string()
    .regex(/^sha-256=:[A-Za-z0-9+/]{43}=:$/, "must be sha-256=:<base64>: (RFC 9530)")
    .transform((text) => Buffer.from(text.slice(9, -1), "base64").toString("hex"))
    .optional()
    .openapi({
      type: "string",
      description:
        "SHA-256 of the file (RFC 9530), also if the body is a form. An upload with another digest is refused, so " +
        "that truncated or altered files are detected.",
    }),
});

export function mediaRoutes(
  { db, media: { store, signer } }: ApiDependencies,
  wakeUps: WakeUps,
  quota: MediaQuota,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const links = ({ businessId }: BusinessScope) => signer.links(businessId, signedUrlS);

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/media",
      tags,
      summary: "Upload a file",
      description:
        "The body is the raw file, up to 100 MiB (`curl --data-binary @picture.jpg -H 'Content-Type: image/jpeg'`), " +
        "or a form with one file (`curl -F file=@picture.jpg`). The media type is detected from the content. A " +
        "Content-Type that contradicts the content is refused; `application/octet-stream` always matches.\n\n" +
        "Uploading the same content again returns the same file, so that you can retry. A file is kept while " +
        "messages refer to it, and for a week otherwise. An upload slower than 16 KiB a second fails with 408.\n\n" +
        "A business may store 10 GiB, unless the operator has set another quota; a file counts as at least 16 KiB. " +
        "Beyond that, uploads fail with `quota_exceeded` and received files are not downloaded: their messages have " +
        "the media error `quota_exceeded`. Deleting a file releases its bytes within seconds.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: {
        params: businessParams,
        headers: uploadHeaders,
        body: {
          required: true,
          content: {
            "application/octet-stream": {
              schema: z.string().openapi({ format: "binary", example: "the bytes of a file" }),
            },
          },
        },
      },
      responses: {
        201: { description: "The stored file", content: json },
        200: { description: "The file, which was already stored", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "quota_exceeded"),
      },
    }),
    async (c) => {
      if (store === null)
        throw new AppError("unavailable", "No file storage is configured. The operator must set STORAGE_URL.");
      const { body } = c.req.raw;
      if (body === null) throw new AppError("invalid_request", "The body is empty. Send the file as the body.");
      const { bytes, declared } = await fileIn(body, c.req.header("content-type"));
      const inspect = (mime: string) => {
        if (declared !== undefined && contradicts(declared, mime)) {
          const detail = `The Content-Type is ${declared}, but the content is ${mime}. Send the matching Content-Type.`;
          throw new AppError("unsupported_media_type", detail);
        }
      };
      const sha256 = c.req.valid("header")["content-digest"];
      const reservation = await quota.hold(c.var.business);
      try {
        const cleanup = forBusiness(db, c.var.business.businessId);
        const options = { declared, maxBytes: maxMediaBytes, inspect, sha256, onSize: reservation.size, cleanup };
        const { media, fresh } = await storeMedia(c.var.business, store, bytes, options);
        if (fresh) reservation.keep();
        if (media.described_at === null) wakeUps.describeMedia(media.business_id);
        return c.json(mediaView(media, links(c.var.business)), fresh ? 201 : 200);
      } finally {
        reservation.release();
      }
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/media/{media_id}",
      tags,
      summary: "Get a file",
      description: "Returns the file's attributes and signed URLs of its content.",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: mediaParams },
      responses: { 200: { description: "The file", content: json }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").media_id);
      const media = id === undefined ? undefined : await getMedia(c.var.business, id);
      if (!media) throw noSuch("media");
      return c.json(mediaView(media, links(c.var.business)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/media/{media_id}",
      tags,
      summary: "Delete a file",
      description: "The file and its signed URLs stop working at once. Messages that contain it remain.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: { params: mediaParams },
      responses: { 204: { description: "Deleted" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").media_id);
      if (id === undefined || !(await deleteMedia(c.var.business, id))) throw noSuch("media");
      return c.body(null, 204);
    },
  );

  return app;
}

/** The file of the request: the body itself, or the one file of a form. */
async function fileIn(body: ReadableStream<Uint8Array>, contentType: string | undefined) {
  if (isForm(contentType)) return fileOfForm(body, contentType);
  if (/^\s*application\/x-www-form-urlencoded/i.test(contentType ?? "")) {
    throw new AppError(
      "unsupported_media_type",
      "application/x-www-form-urlencoded may have altered the file's line breaks. Send it with curl --data-binary " +
        "@file -H 'Content-Type: application/octet-stream', or with curl -F file=@file.",
    );
  }
  return { bytes: body, declared: contentType };
}
