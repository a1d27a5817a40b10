import { z } from "@hono/zod-openapi";
import { deviceName, deviceNameForm } from "../../../../lib/contracts/shard/device_name.ts";
import { pageQuery } from "../../http/page.ts";
import { storableText, timestamp } from "../../http/text.ts";

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const name = storableText(1, 200).openapi({ description: "Display name.", example: "Padaria Aurora" });
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, "must be an IANA time zone, such as America/Sao_Paulo")
  .openapi({ description: "IANA time zone.", example: "America/Sao_Paulo" });

const receiveStatuses = z.boolean().openapi({
  description:
    "True if the statuses that the business's contacts post on WhatsApp are published as the event status.received. " +
    "At most 30 an hour of one contact and 600 of all are published.",
});

const ownDeviceName = deviceName.nullable().openapi({
  // Stated here, because the library writes the flag of an expression into the pattern.
  pattern: deviceNameForm.source,
  description:
    "Name under which the phone lists the device that this platform links by QR code, from the next link on. Some " +
    "accounts refuse unusual names. Null: the platform's.",
  example: "Padaria Aurora",
});

export const newBusiness = z
  .strictObject({
    name,
    time_zone: timeZone.default("UTC"),
    receive_statuses: receiveStatuses.default(false),
    device_name: ownDeviceName.default(null),
  })
  .openapi("NewBusiness");

export const businessQuery = z.object({
  name: storableText(1, 200)
    .optional()
    .openapi({ description: "Returns businesses whose name contains this text, ignoring case.", example: "padaria" }),
  ...pageQuery,
});

export const businessChanges = z
  .strictObject({
    name: name.optional(),
    time_zone: timeZone.optional(),
    receive_statuses: receiveStatuses.optional(),
    device_name: ownDeviceName.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, "needs at least one field to change")
  .openapi("BusinessChanges");

export const businessSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    time_zone: z.string(),
    whatsapp_shard: z
      .int()
      .nullable()
      .openapi({ description: "The WhatsApp shard that holds the session. Null until the first connect." }),
    receive_statuses: receiveStatuses,
    device_name: ownDeviceName,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .openapi("Business");
