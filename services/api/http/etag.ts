import { AppError } from "../../../lib/core/errors.ts";
import { sha256Hex } from "../../../lib/core/secret.ts";

/** The entity tag of a representation: another one as soon as anything in it is. */
export function etagOf(view: object): string {
  return `"${sha256Hex(JSON.stringify(view)).slice(0, 32)}"`;
}

/**
 * Whether a representation with this tag is one of those that an If-Match or If-None-Match header names. Weak tags
 * are compared as if they were strong, for proxies that compress make ours weak.
 */
export function matches(header: string, etag: string): boolean {
  return header.split(",").some((each) => {
    const tag = each.trim();
    return tag === "*" || tag.replace(/^W\//, "") === etag;
  });
}

/** Throws "precondition_failed" where the caller has seen another representation than the present one. */
export function demandMatch(ifMatch: string | undefined, view: object): void {
  if (ifMatch === undefined || matches(ifMatch, etagOf(view))) return;
  throw new AppError("precondition_failed", "It was changed since you read it: read it again, and decide anew.", {
    detail: { etag: etagOf(view) },
  });
}
