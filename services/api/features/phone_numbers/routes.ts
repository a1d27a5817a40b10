import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { assignPhoneNumber, getBusiness, listPhoneNumbers, releasePhoneNumber } from "../../../../lib/db/index.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { numberForm, numberParam, phoneNumberSchema, phoneNumberView } from "../calls/schemas.ts";
import { problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Calls"];
const params = businessParams.extend({ number: numberParam });

/** Which telephone number is whose: the platform rents them, and gives them to businesses. */
export function phoneNumberRoutes({ db }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/phone_numbers",
      tags,
      summary: "List the telephone numbers of a business",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "All of them",
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
      summary: "Give a telephone number to a business",
      description: "Calls to it are the business's from then on. Needs an admin key.",
      middleware: [adminOnly, businessAccess(db, "calls:write")] as const,
      request: { params },
      responses: { 204: { description: "It is the business's" }, ...problemResponses("invalid_request", "conflict") },
    }),
    async (c) => {
      const number = numberForm(c.req.valid("param").number);
      if (number === undefined) {
        const faults = [{ field: "number", message: "must be a number in international form (7 to 15 digits)" }];
        throw new AppError("invalid_request", "That is no telephone number.", { faults });
      }
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const outcome = await assignPhoneNumber(c.var.business, number);
      if (outcome === "taken")
        throw new AppError("conflict", "Another business has this number; take it from that one first.");
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/phone_numbers/{number}",
      tags,
      summary: "Take a telephone number from a business",
      description: "Calls to it are refused from then on. Needs an admin key.",
      middleware: [adminOnly, businessAccess(db, "calls:write")] as const,
      request: { params },
      responses: { 204: { description: "It is nobody's" }, ...problemResponses() },
    }),
    async (c) => {
      const number = numberForm(c.req.valid("param").number);
      const released = number !== undefined && (await releasePhoneNumber(c.var.business, number));
      if (!released) throw new AppError("not_found", "The business has no such number.");
      return c.body(null, 204);
    },
  );

  return app;
}
