import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import { passkeyAssertion, passkeyConfirmation } from "../../../../lib/contracts/shard/passkey.ts";
import type { Shard } from "../../shard.ts";

const businessId = z.object({ business_id: z.uuid() });

/** The steps of a link with a passkey that the account's owner takes. */
export function passkeyRoutes(shard: Shard): Hono {
  const app = new Hono();
  const sessionOf = (param: unknown) => shard.get(businessId.parse(param).business_id);

  app.post("/:business_id/passkey/assertion", async (c) => {
    const assertion = passkeyAssertion.parse(await jsonOf(c.req.raw));
    const session = sessionOf(c.req.param());
    session.answerPasskey({ assertion });
    return c.json(session.view(), 202);
  });

  app.post("/:business_id/passkey/confirm", async (c) => {
    const { code } = passkeyConfirmation.parse(await jsonOf(c.req.raw));
    const session = sessionOf(c.req.param());
    session.answerPasskey({ code });
    return c.json(session.view(), 202);
  });

  return app;
}

const jsonOf = (request: Request): Promise<unknown> =>
  request.json().catch(() => {
    throw new AppError("invalid_request", "The body is not JSON.");
  });
