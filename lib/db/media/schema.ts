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
  /** "writing": its content is on its way into the store, or its writer died. */
  status: text().$type<"writing" | "stored">().notNull().default("writing"),
  storage_key: text().notNull(),
  /** Of the content, hexadecimal. */
  sha256: text(),
  /** Bytes. */
  size: integer(),
  /** As the content says. */
  mime: text(),
  /** When the content was looked into: pixels, playing time, thumbnail. */
  described_at: moment(),
  /** Attempts to decode the content, each recorded before it began. */
  describe_attempts: integer().notNull().default(0),
  width: integer(),
  height: integer(),
  seconds: real(),
  thumbnail_key: text(),
  /** A tiny JPEG in base64, which goes along with messages. */
  preview: text(),
  created_at: createdAt(),
  /** When a message last came with it, in either direction. */
  used_at: moment(),
  /** Nobody is given it any more; its content is yet to be removed. */
  deleted_at: moment(),
});
export type MediaRow = typeof media.$inferSelect;
/** A file whose content we have. */
export type Media = Omit<MediaRow, "sha256" | "size" | "mime"> & { sha256: string; size: number; mime: string };

/** What a message brought and is still to be fetched from WhatsApp. */
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

/** What was put on WhatsApp's media host, or is to be, for messages to name it. */
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
