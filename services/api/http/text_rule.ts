import { isUtf8 } from "node:buffer";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import type { FieldFault } from "../../../lib/core/errors.ts";
import { faultOfText, toStorable } from "../../../lib/core/text.ts";
import { isUpload } from "./admission.ts";
import type { Authenticated } from "./auth/guards.ts";

/*
 * The rule for text (lib/core/text.ts) at the API's edge: it holds for every path, parameter and JSON body, whether a
 * schema names the field or not, and for names as well as values.
 */

const maxFaults = 20;

/**
 * Refuses text that cannot be stored, naming where it is. Reads a JSON body, which is in memory already. An upload is
 * content, whatever its Content-Type: its route streams it.
 */
export const wellFormedText: MiddlewareHandler<Authenticated> = async (c, next) => {
  const faults = faultsOfTarget(c.req.url);
  // No resource has such an id.
  if (faults.some(({ field }) => field === "path"))
    throw new AppError("not_found", "There is nothing at this path.", { faults });
  refuse(faults);
  if (isUpload(c)) return next();
  const contentType = c.req.header("content-type");
  if (contentType !== undefined && isJson.test(contentType)) {
    const charset = charsetForm.exec(contentType)?.[1]?.toLowerCase() ?? "utf-8";
    if (!encodings.has(charset)) {
      const message = `the charset "${charset}" is not supported for JSON: send UTF-8`;
      throw new AppError("unsupported_media_type", "Send JSON as UTF-8.", {
        faults: [{ field: "content-type", message }],
      });
    }
    // The schema's parser takes it from Hono's cache: it is read once.
    refuse(faultsOfJson(Buffer.from(await c.req.arrayBuffer())));
  }
  await next();
};

/** As Hono judges it: what its parser takes for JSON must not pass unread here. */
const isJson = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const charsetForm = /;\s*charset\s*=\s*"?([^\s";]{1,40})/i;
const encodings = new Set(["utf-8", "utf8", "us-ascii"]);

function refuse(faults: FieldFault[]): void {
  if (faults.length > 0) throw new AppError("invalid_request", "Some text of the request cannot be taken.", { faults });
}

/** Of the path and the query: percent-encoding of what is not UTF-8, and characters that text must not hold. */
export function faultsOfTarget(url: string): FieldFault[] {
  if (!url.includes("%")) return [];
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  const faults: FieldFault[] = [];
  const look = (field: string, encoded: string) => {
    const message = faultOfEncoded(encoded);
    if (message !== undefined && faults.length < maxFaults) faults.push({ field, message });
  };
  look("path", path);
  if (query === -1) return faults;
  for (const pair of url.slice(query + 1).split("&")) {
    const [name = "", value = ""] = pair.split("=", 2);
    look("query", name);
    look(decoded(name) ?? "query", value);
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

/** An escape of U+0000 or of a surrogate: raw, JSON cannot hold the first and UTF-8 not the second. */
const suspiciousEscape = /\\u(?:0000|[dD][89a-fA-F])/;

/** Of a JSON text; none where it is no JSON, which its parser will say. */
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

/** Without recursion: what is nested deeply must not end the stack. */
function faultsOfValue(root: unknown): FieldFault[] {
  const faults: FieldFault[] = [];
  const left: { value: unknown; path: string }[] = [{ value: root, path: "" }];
  for (let next = left.pop(); next !== undefined && faults.length < maxFaults; next = left.pop()) {
    const { value, path } = next;
    if (typeof value === "string") {
      const message = faultOfText(value);
      if (message !== undefined) faults.push({ field: path || "body", message });
    } else if (typeof value === "object" && value !== null) {
      for (const [name, member] of Object.entries(value)) {
        const message = faultOfText(name);
        const field = `${path === "" ? "" : `${path}.`}${toStorable(name)}`.slice(0, maxPath);
        if (message !== undefined) faults.push({ field, message: `is a name that ${message}` });
        left.push({ value: member, path: field });
      }
    }
  }
  return faults;
}

/** Of deep nesting the first part of the path is enough. */
const maxPath = 300;
