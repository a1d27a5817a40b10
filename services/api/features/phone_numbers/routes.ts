import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { notAPhoneNumber } from "../../../../lib/core/phone_number.ts";
import { assignPhoneNumber, getBusiness, listPhoneNumbers, releasePhoneNumber } from "../../../../lib/db/index.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { e164 } from "../../http/phone_number.ts";
import { noSuch, problemResponses } from "../../http/problem.ts";
import { phoneNumberParams, phoneNumberSchema } from "./schemas.ts";
import { phoneNumberView } from "./view.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Calls"];

/** The platform rents phone numbers and assigns them to businesses. */
export function phoneNumberRoutes({ db }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/phone_numbers",
      tags,
      summary: "List phone numbers",
      description: "Returns the phone numbers that are assigned to the business.",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "All phone numbers of the business",
          content: { "application/json": { schema: z.object({ data: z.array(phoneNumberSchema) }) } },
        },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const numbers = await listPhoneNumbers(c.var.business);
      if (numbers.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json({ data: numbers.map(phoneNumberView) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/businesses/{business_id}/phone_numbers/{number}",
      tags,
      summary: "Assign a phone number",
      description: "Routes calls to the phone number to the business. Requires an admin key.",
      middleware: [adminOnly, businessAccess(db, "calls:write")] as const,
      request: { params: phoneNumberParams },
      responses: {
        204: { description: "The phone number is assigned" },
        ...problemResponses("invalid_request", "conflict"),
      },
    }),
    async (c) => {
      const { number: given } = c.req.valid("param");
      const number = e164.safeParse(given).data;
      if (number === undefined) {
        const faults = [{ field: "number", message: notAPhoneNumber(given) }];
        throw new AppError("invalid_request", "The path does not contain a valid phone number.", { faults });
      }
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const outcome = await assignPhoneNumber(c.var.business, number);
      if (outcome === "taken")
        throw new AppError("conflict", "This phone number is assigned to another business. Release it there first.");
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/phone_numbers/{number}",
      tags,
      summary: "Release a phone number",
      description: "Rejects calls to the phone number from then on. Requires an admin key.",
      middleware: [adminOnly, businessAccess(db, "calls:write")] as const,
      request: { params: phoneNumberParams },
      responses: { 204: { description: "The phone number is released" }, ...problemResponses() },
    }),
    async (c) => {
      const number = e164.safeParse(c.req.valid("param").number).data;
      const released = number !== undefined && (await releasePhoneNumber(c.var.business, number));
      if (!released) throw noSuch("phone number");
      return c.body(null, 204);
    },
  );

  return app;
}
