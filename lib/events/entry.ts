import type { LiveEvent } from "./stream.ts";

/** Hard limit of an entry's JSON in bytes: every field at its own limit fits. */
export const maxEntryBytes = 2_048;

/** A message's text: enough for a notification or a list of chats. The API has the whole. */
const excerptLength = 120;
/** JIDs, names, phone numbers and reasons are shorter; URLs may be longer and are cut. */
const fieldLength = 200;
const mostFields = 16;

/**
 * Reduces an event to what live streams carry: ids, statuses and a short excerpt. Contents (`content`, `media`, a
 * whole `text`) stay out: they made entries of 320 KB, and a reader with the scope fetches them from the API.
 */
export function liveEntry({ business_id, event, at, data }: LiveEvent): LiveEvent {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data).slice(0, mostFields)) {
    if (name === "text") kept["excerpt"] = typeof value === "string" ? clip(value, excerptLength) : null;
    else if (name === "error") kept["error"] = errorOf(value);
    else if (typeof value === "string") kept[name] = clip(value, fieldLength);
    else if (value === null || typeof value === "number" || typeof value === "boolean") kept[name] = value;
  }
  const entry = { business_id, event: clip(event, 64), at, data: kept };
  return byteLength(entry) <= maxEntryBytes ? entry : { ...entry, data: idsOf(kept) };
}

/** A failed message's error; its message comes from WhatsApp or from us. */
function errorOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return null;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: clip(String(code), 64), message: clip(String(message), fieldLength) };
}

/** Characters that JSON escapes or UTF-8 widens can take six bytes each: then only ids and statuses remain. */
function idsOf(data: Record<string, unknown>): Record<string, unknown> {
  const isPlain = (value: unknown) => typeof value !== "string" || /^[\x20-\x7e]{0,100}$/.test(value);
  return Object.fromEntries(
    Object.entries(data).filter(([name, value]) => /(^|_)(id|sid|status|type)$/.test(name) && isPlain(value)),
  );
}

function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  // A surrogate pair is not split.
  const end = /[\uD800-\uDBFF]/.test(text[length - 2]!) ? length - 2 : length - 1;
  return `${text.slice(0, end)}…`;
}

function byteLength(entry: LiveEvent): number {
  return Buffer.byteLength(JSON.stringify(entry));
}
