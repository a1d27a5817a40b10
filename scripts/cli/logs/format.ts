import type { Entry } from "./entry.ts";

const timeText = (at: number): string | null => (at === Number.NEGATIVE_INFINITY ? null : new Date(at).toISOString());

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Printed before the other fields, or said by the source's name. */
const leading = new Set(["time", "level", "msg", "service"]);

/** "2027-01-01T00:00:00.000Z wa-shards.shard[0] warn  message {"other": "fields"}". */
export function describeEntry({ source, at, fields, text }: Entry): string {
  const start = `${timeText(at) ?? "-"} ${source.name}`;
  if (fields === null) return `${start} | ${text}`;
  const others = Object.entries(fields).filter(([field]) => !leading.has(field));
  const rest = others.length === 0 ? "" : ` ${JSON.stringify(Object.fromEntries(others))}`;
  return `${start} ${textOf(fields["level"]).padEnd(5)} ${textOf(fields["msg"])}${rest}`;
}

/** One JSON object a line: the source, and the line's fields or text. */
export function jsonOf({ source: { name, allocation, stream }, at, fields, text }: Entry): string {
  return JSON.stringify({ name, allocation, stream, time: timeText(at), ...(fields === null ? { text } : { fields }) });
}
