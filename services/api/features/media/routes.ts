import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { deleteMedia, getMedia } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import { contradicts, maxMediaBytes } from "../../../../lib/media/index.ts";
import { keepMedia } from "../../../../lib/media-store/index.ts";
import type { MediaQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { fileOfForm, isForm } from "./form_file.ts";
import { mediaLinksS, mediaSchema, mediaView } from "./schemas.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, knownForm, mediaParams } from "../../http/params.ts";

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
        "SHA-256 of the file (RFC 9530), also where it comes in a form: an upload that is cut off or altered is refused.",
    }),
});

export function mediaRoutes(
  { db, media: { store, signer } }: ApiDependencies,
  wakeUps: WakeUps,
  quota: MediaQuota,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const links = ({ businessId }: BusinessScope) => signer.links(businessId, mediaLinksS);

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/media",
      tags,
      summary: "Upload a file",
      description:
        "The body is the file as it is, up to 100 MiB (`curl --data-binary @picture.jpg -H 'Content-Type: image/jpeg'`), or a form with one file (`curl -F file=@picture.jpg`). Its kind is detected from its content; a Content-Type that the content contradicts is refused, and `application/octet-stream` claims nothing. The same content again is the same media, so an upload may be repeated. It is kept as long as messages refer to it, and for a week without any. A body that arrives at less than 16 KiB a second is given up with 408. Beyond the business's quota of stored bytes (10 GiB unless the operator has set another; a file counts for at least 16 KiB) an upload is refused with `quota_exceeded`, and received files are not fetched: their messages have the media error `quota_exceeded`. Deleted files give their bytes back within seconds.",
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
        201: { description: "Kept", content: json },
        200: { description: "The business has this content already", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "quota_exceeded"),
      },
    }),
    async (c) => {
      if (store === null) throw new AppError("unavailable", "This installation keeps no files: set STORAGE_URL.");
      const { body } = c.req.raw;
      if (body === null) throw new AppError("invalid_request", "The body is the file, and there is none.");
      const { bytes, declared } = await fileIn(body, c.req.header("content-type"));
      const inspect = (mime: string) => {
        if (declared !== undefined && contradicts(declared, mime)) {
          throw new AppError("unsupported_media_type", `The Content-Type says ${declared}, the content is ${mime}.`);
        }
      };
      const sha256 = c.req.valid("header")["content-digest"];
      const room = await quota.hold(c.var.business.businessId);
      try {
        const options = { declared, maxBytes: maxMediaBytes, inspect, sha256, onSize: room.size };
        const { media, fresh } = await keepMedia(c.var.business, store, bytes, options);
        if (fresh) room.keep();
        if (media.described_at === null) wakeUps.description(media.business_id, media.id);
        return c.json(mediaView(media, links(c.var.business)), fresh ? 201 : 200);
      } finally {
        room.release();
      }
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/media/{media_id}",
      tags,
      summary: "Get a file's description, and addresses of its content",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: mediaParams },
      responses: { 200: { description: "The media", content: json }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").media_id);
      const media = id === undefined ? undefined : await getMedia(c.var.business, id);
      if (!media) throw noSuchMedia();
      return c.json(mediaView(media, links(c.var.business)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/media/{media_id}",
      tags,
      summary: "Delete a file",
      description: "Nobody is given it from now on; messages that came with it stay.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: { params: mediaParams },
      responses: { 204: { description: "Deleted" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").media_id);
      if (id === undefined || !(await deleteMedia(c.var.business, id))) throw noSuchMedia();
      return c.body(null, 204);
    },
  );

  return app;
}

/** The file in the body: the body itself, or the file of a form. */
async function fileIn(body: ReadableStream<Uint8Array>, contentType: string | undefined) {
  if (isForm(contentType)) return fileOfForm(body, contentType);
  if (/^\s*application\/x-www-form-urlencoded/i.test(contentType ?? "")) {
    throw new AppError(
      "unsupported_media_type",
      "A file as application/x-www-form-urlencoded may have lost its line breaks; send it with curl --data-binary @file -H 'Content-Type: application/octet-stream', or with curl -F file=@file.",
    );
  }
  return { bytes: body, declared: contentType };
}

function noSuchMedia(): AppError {
  return new AppError("not_found", "There is no such media.");
}
