import { z } from "@hono/zod-openapi";
import { faultOfText } from "../../../lib/core/text.ts";

export { faultOfText };

/** Text that Postgres, WhatsApp and JSON can all store. */
export const storableText = (min: number, max: number) =>
  z
    .string()
    .min(min)
    .max(max)
    .superRefine((text, context) => {
      const fault = faultOfText(text);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    });

export const timestamp = z.iso.datetime().openapi({ example: "2026-03-01T12:00:00.000Z" });

/** A date-time within the years 1 to 9999 UTC, the range that Postgres and `toISOString` write alike. */
export const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .refine((at) => at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9999, "must lie in the years 1 to 9999");

export const isoOrNull = (at: Date | null): string | null => at?.toISOString() ?? null;
