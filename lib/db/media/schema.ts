import { integer, jsonb, pgTable, primaryKey, real, text, uuid } from "drizzle-orm/pg-core";
import type { MediaKind, MediaPointer } from "../../media/index.ts";
import { businesses } from "../businesses/schema.ts";
import { createdAt, moment } from "../columns.ts";

const business = () =>
  uuid()
    .notNull()
    .references(() => businesses.id, { onDelete: "cascade" });

/** A file of a business; each content once. */
export const media = pgTable("media", {
  id: uuid().primaryKey(),
  business_id: business(),
  /** "writing": its content is being stored, or its writer died. */
  status: text().$type<"writing" | "stored">().notNull().default("writing"),
  storage_key: text().notNull(),
  /** Of the content, hexadecimal. */
  sha256: text(),
  /** Bytes. */
  size: integer(),
  /** Detected from the content. */
  mime: text(),
  /** When the content was decoded: pixels, playing time, thumbnail. */
  described_at: moment(),
  /** Attempts to decode the content, each recorded before it began. */
  describe_attempts: integer().notNull().default(0),
  width: integer(),
  height: integer(),
  seconds: real(),
  thumbnail_key: text(),
  /** A tiny JPEG in base64, which messages carry. */
  preview: text(),
  created_at: createdAt(),
  /** Its last use in a message, in either direction. */
  used_at: moment(),
  /** No request returns it; its content waits for removal. */
  deleted_at: moment(),
});
export type MediaRow = typeof media.$inferSelect;
/** A file whose content we have. */
export type Media = Omit<MediaRow, "sha256" | "size" | "mime"> & { sha256: string; size: number; mime: string };

/** A file of an inbound message that waits to be fetched from WhatsApp. */
export const mediaFetches = pgTable("media_fetches", {
  message_id: uuid().primaryKey(),
  business_id: business(),
  kind: text().$type<MediaKind>().notNull(),
  pointer: jsonb().$type<MediaPointer>().notNull(),
  attempts: integer().notNull().default(0),
  next_attempt_at: moment().notNull().defaultNow(),
  error: text(),
  created_at: createdAt(),
});
export type MediaFetch = typeof mediaFetches.$inferSelect;

/** An upload to WhatsApp's media host, which outbound messages refer to. */
export const mediaUploads = pgTable(
  "media_uploads",
  {
    media_id: uuid()
      .notNull()
      .references(() => media.id, { onDelete: "cascade" }),
    kind: text().$type<MediaKind>().notNull(),
    business_id: business(),
    status: text().$type<"pending" | "ready" | "failed">().notNull().default("pending"),
    pointer: jsonb().$type<MediaPointer>(),
    error: text(),
    attempts: integer().notNull().default(0),
    next_attempt_at: moment(),
    /** When it became ready, or failed. */
    settled_at: moment(),
  },
  (table) => [primaryKey({ columns: [table.media_id, table.kind] })],
);
export type MediaUpload = typeof mediaUploads.$inferSelect;
