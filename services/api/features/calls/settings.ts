import { z } from "@hono/zod-openapi";
import { destinationRule, maxDestinationRules } from "../../../../lib/calls/destinations.ts";
import { maxCallLimit } from "../../../../lib/calls/limit.ts";
import type { CallSettings } from "../../../../lib/db/index.ts";
import { storableText } from "../../http/text.ts";

const maxConcurrent = z
  .int()
  .min(0)
  .max(maxCallLimit)
  .nullable()
  .openapi({ description: "Maximum concurrent calls. Null: only the platform's limit applies.", example: 5 });
const allowedDestinations = z
  .array(destinationRule)
  .max(maxDestinationRules)
  .nullable()
  .openapi({
    description:
      'Allowed destinations of calls and transfers: prefixes such as "+44", "!+4490" (denied), "own" (the country of ' +
      'the calling number; for +1 the United States and Canada, without 900) or "*". The longest match decides. ' +
      "Null: the platform's rules.",
    example: ["own", "+44", "!+4490"],
  });
const maxPerDay = z
  .int()
  .min(0)
  .max(1_000_000)
  .nullable()
  .openapi({ description: "Maximum calls and transfers in 24 hours. Null: the platform's limit.", example: 500 });
const record = z.boolean().openapi({ description: "True records calls. Requires `consent_line`." });
const consentLine = storableText(1, 500)
  .nullable()
  .openapi({ description: "Announcement before the recording starts.", example: "This call is recorded." });

export const callSettings = z
  .object({
    max_concurrent: maxConcurrent,
    allowed_destinations: allowedDestinations,
    max_per_day: maxPerDay,
    record,
    consent_line: consentLine,
  })
  .openapi("CallSettings");

const adminOnlyField = "Requires an admin key. Keeps its value if omitted.";

export const newCallSettings = z
  .strictObject({
    max_concurrent: maxConcurrent.optional().openapi({ description: adminOnlyField }),
    allowed_destinations: allowedDestinations.optional().openapi({ description: adminOnlyField }),
    max_per_day: maxPerDay.optional().openapi({ description: adminOnlyField }),
    record: record.default(false),
    consent_line: consentLine.default(null),
  })
  .refine(({ record: recording, consent_line }) => !recording || consent_line !== null, {
    path: ["consent_line"],
    message: "is required if calls are recorded",
  })
  .openapi("NewCallSettings");

/** Settings that protect the platform. A business may not set its own. */
export const adminOnlySettings = ["max_concurrent", "allowed_destinations", "max_per_day"] as const;

export function callSettingsView(settings: CallSettings | undefined): z.infer<typeof callSettings> {
  return {
    max_concurrent: settings?.max_concurrent ?? null,
    allowed_destinations: settings?.allowed_destinations ?? null,
    max_per_day: settings?.max_per_day ?? null,
    record: settings?.record ?? false,
    consent_line: settings?.consent_line ?? null,
  };
}
