import { z } from "@hono/zod-openapi";
import { maxNumbers } from "../../../../lib/contracts/shard/index.ts";
import { phoneDigits } from "../../http/phone_number.ts";
import { chat, chatDoc } from "./chat.ts";

const person = chat.openapi(chatDoc);

export const presence = z
  .discriminatedUnion("presence", [
    z.strictObject({ presence: z.enum(["available", "unavailable"]) }),
    z.strictObject({ presence: z.enum(["typing", "recording", "paused"]), chat: person }),
  ])
  .openapi("Presence");

const number = phoneDigits.openapi({ type: "string", example: "5511987654321" });

export const numbersToCheck = z
  .strictObject({ numbers: z.array(number).min(1).max(maxNumbers) })
  .openapi("NumbersToCheck");

export const checkedNumbers = z
  .object({
    data: z
      .array(
        z.object({
          number: z.string(),
          on_whatsapp: z.boolean(),
          jid: z.string().nullable().openapi({
            description: "JID of the account. WhatsApp may spell its number differently.",
          }),
        }),
      )
      .openapi({ description: "One result per number, in the order of the request." }),
  })
  .openapi("CheckedNumbers");

export const pictureQuery = z.object({
  of: person,
  size: z.enum(["preview", "full"]).default("preview").openapi({ description: "Size of the picture." }),
});

export const picture = z
  .object({
    url: z.string().nullable().openapi({
      description: "URL at WhatsApp, valid for some days. Null if there is no picture or the business may not see it.",
    }),
  })
  .openapi("Picture");
