import { z } from "@hono/zod-openapi";
import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";

const example = '"33a64df551425fcc55e4d42a148795d9"';

/** Response header of a resource that supports `If-Match`. */
export const etagHeader = z.object({
  etag: z.string().openapi({ description: "Identifies this version of the resource.", example }),
});

/** Request header of a conditional update. */
export const ifMatchHeaders = z.object({
  "if-match": z
    .string()
    .max(1_000)
    .optional()
    .openapi({
      description:
        "The ETag of the version that you fetched. If the resource has changed since, the request changes nothing " +
        "and fails with 412.",
      example,
    }),
});

/** The entity tag of a representation: a hash of its JSON. */
export function etagOf(view: object): string {
  return `"${sha256Hex(JSON.stringify(view)).slice(0, 32)}"`;
}

/**
 * True if an If-Match or If-None-Match header contains the tag. Compares weak tags as strong ones, because compressing
 * proxies weaken our tags.
 */
export function matches(header: string, etag: string): boolean {
  return header.split(",").some((each) => {
    const tag = each.trim();
    return tag === "*" || tag.replace(/^W\//, "") === etag;
  });
}

/** Throws "precondition_failed" if `If-Match` is present and does not match the current representation. */
export function assertIfMatch(ifMatch: string | undefined, view: object): void {
  if (ifMatch === undefined || matches(ifMatch, etagOf(view))) return;
  throw new AppError(
    "precondition_failed",
    "The resource changed since you read it. Fetch the latest version and retry.",
    { detail: { etag: etagOf(view) } },
  );
}
