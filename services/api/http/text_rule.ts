import { isUtf8 } from "node:buffer";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { FieldFault } from "../../../lib/core/errors.ts";
import { faultOfText, toStorable } from "../../../lib/core/text.ts";
import { isUpload } from "./admission.ts";
import type { Authenticated } from "./auth/guards.ts";

/*
 * Applies the text rule of lib/core/text.ts to every path, parameter and JSON body, to names as well as values, whether
 * or not a schema declares the field.
 */

const maxFaults = 20;

/**
 * Rejects text that cannot be stored and names its location. Reads JSON bodies, which are in memory already. Skips
 * uploads of any Content-Type, because their routes stream them.
 */
export const wellFormedText: MiddlewareHandler<Authenticated> = async (c, next) => {
  const faults = faultsOfTarget(c.req.url);
  // No resource has an id with such characters.
  if (faults.some(({ field }) => field === "path"))
    throw new AppError("not_found", "No resource exists at this path. Check its percent-encoding.", { faults });
  refuse(faults);
  if (isUpload(c)) return next();
  const contentType = c.req.header("content-type");
  if (contentType !== undefined && isJson.test(contentType)) {
    const charset = charsetForm.exec(contentType)?.[1]?.toLowerCase() ?? "utf-8";
    if (!encodings.has(charset)) {
      const message = `the charset "${charset}" is not supported for JSON; send UTF-8`;
      throw new AppError("unsupported_media_type", `JSON in the charset "${charset}" is not supported. Send UTF-8.`, {
        faults: [{ field: "content-type", message }],
      });
    }
    // Hono caches the bytes, so the schema's parser does not read the body again.
    refuse(faultsOfJson(Buffer.from(await c.req.arrayBuffer())));
  }
  await next();
};

/** Hono's own pattern for JSON: a body that its parser accepts must not bypass this check. */
const isJson = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const charsetForm = /;\s*charset\s*=\s*"?([^\s";]{1,40})/i;
const encodings = new Set(["utf-8", "utf8", "us-ascii"]);

function refuse(faults: FieldFault[]): void {
  if (faults.length === 0) return;
  throw new AppError("invalid_request", "Some text contains characters that cannot be stored. See `errors`.", {
    faults,
  });
}

/** Checks the path and the query for percent-encoding that is not UTF-8 and for characters that cannot be stored. */
export function faultsOfTarget(url: string): FieldFault[] {
  if (!url.includes("%")) return [];
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  const faults: FieldFault[] = [];
  const check = (field: string, encoded: string) => {
    const message = faultOfEncoded(encoded);
    if (message !== undefined && faults.length < maxFaults) faults.push({ field, message });
  };
  check("path", path);
  if (query === -1) return faults;
  for (const pair of url.slice(query + 1).split("&")) {
    const [name = "", value = ""] = pair.split("=", 2);
    check("query", name);
    check(decoded(name) ?? "query", value);
  }
  return faults;
}

function faultOfEncoded(encoded: string): string | undefined {
  if (!encoded.includes("%")) return undefined;
  const text = decoded(encoded);
  return text === undefined ? "must be percent-encoded UTF-8" : faultOfText(text);
}

function decoded(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/** A JSON escape of U+0000 or of a surrogate. Unescaped, JSON cannot contain the first and UTF-8 not the second. */
const suspiciousEscape = /\\u(?:0000|[dD][89a-fA-F])/;

/** Checks a JSON text. Returns no faults for invalid JSON, which the parser rejects. */
export function faultsOfJson(bytes: Buffer): FieldFault[] {
  if (!isUtf8(bytes)) return [{ field: "body", message: "must be UTF-8" }];
  if (!bytes.includes("\\u")) return [];
  const text = bytes.toString();
  if (!suspiciousEscape.test(text)) return [];
  try {
    return faultsOfValue(JSON.parse(text) as unknown);
  } catch {
    return [];
  }
}

/** Iterates instead of recursing, so that deep nesting cannot overflow the stack. */
function faultsOfValue(root: unknown): FieldFault[] {
  const faults: FieldFault[] = [];
  const pending: { value: unknown; path: string }[] = [{ value: root, path: "" }];
  for (let next = pending.pop(); next !== undefined && faults.length < maxFaults; next = pending.pop()) {
    const { value, path } = next;
    if (typeof value === "string") {
      const message = faultOfText(value);
      if (message !== undefined) faults.push({ field: path || "body", message });
    } else if (typeof value === "object" && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        const message = faultOfText(name);
        const field = `${path === "" ? "" : `${path}.`}${toStorable(name)}`.slice(0, maxPath);
        if (message !== undefined) faults.push({ field, message: `is a name that ${message}` });
        pending.push({ value: member, path: field });
      }
    }
  }
  return faults;
}

/** Truncates the paths of deeply nested members. */
const maxPath = 300;
