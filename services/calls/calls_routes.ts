import { Hono } from "hono";
import { callKey, callOrder } from "../../lib/contracts/calls/index.ts";
import { AppError } from "../../lib/core/errors.ts";
import { bearer } from "../../lib/runtime/http.ts";
import type { Core } from "./flow/core.ts";
import type { PublicUrls } from "./flow/instructions.ts";
import { dialOnce } from "./flow/dial.ts";
import type { DialOrders } from "./state/dial_orders.ts";
import type { Carrier } from "./twilio/rest.ts";

export type CallsRoutesOptions = {
  core: Core;
  urls: PublicUrls;
  orders: DialOrders;
  /** Null if no account is configured. */
  carrier: Carrier | null;
  /** Bearer token of this API; without it the API is closed. */
  token: string | readonly string[] | undefined;
};

/** The internal API on OPS_PORT: POST /calls dials (lib/contracts/calls). The public API authorizes its callers. */
export function callsRoutes({ core, urls, orders, carrier, token }: CallsRoutesOptions): Hono {
  const app = new Hono();

  app.use("/calls", async (c, next) => {
    if (token === undefined) throw new AppError("unavailable", "Calls cannot be dialled here: set CALLS_TOKEN.");
    return bearer(token)(c, next);
  });

  app.post("/calls", async (c) => {
    if (carrier === null)
      throw new AppError("unavailable", "Calls cannot be dialled: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.");
    const body: unknown = await c.req.json().catch(() => {
      throw new AppError("invalid_request", "The body is not JSON.");
    });
    const key = callKey.optional().parse(c.req.header("idempotency-key"));
    return c.json(await dialOnce(core, { carrier, urls, orders }, callOrder.parse(body), key), 201);
  });

  return app;
}
