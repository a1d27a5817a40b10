import { z } from "@hono/zod-openapi";

/** Text that Postgres can hold: it refuses U+0000. */
export const storableText = (min: number, max: number) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((text) => !text.includes("\u0000"), "must not contain the character U+0000");

export const timestamp = z.iso.datetime().openapi({ example: "2026-03-01T12:00:00.000Z" });

/** ISO 8601, or null where it has not happened. */
export const isoOrNull = (at: Date | null): string | null => at?.toISOString() ?? null;
