import { z } from "@hono/zod-openapi";
import { businessParams } from "../../http/params.ts";
import { timestamp } from "../../http/text.ts";

export const phoneNumberParams = businessParams.extend({
  number: z.string().openapi({
    param: { name: "number", in: "path" },
    description: "The phone number in international form.",
    example: "551140001000",
  }),
});

export const phoneNumberSchema = z
  .object({ number: z.string().openapi({ example: "+551140001000" }), created_at: timestamp })
  .openapi("PhoneNumber");
