import { Hono } from "hono";
import { z } from "zod";
import { passkeyAssertion, passkeyConfirmation } from "../../../../lib/contracts/shard/passkey.ts";
import { bodyOf } from "../../body.ts";
import type { Shard } from "../../shard.ts";

const businessId = z.object({ business_id: z.uuid() });

/** The steps of a link with a passkey that the account's owner takes. */
export function passkeyRoutes(shard: Shard): Hono {
  const app = new Hono();
  const sessionOf = (param: unknown) => shard.get(businessId.parse(param).business_id);

  app.post("/:business_id/passkey/assertion", async (c) => {
    const assertion = await bodyOf(c.req.raw, passkeyAssertion);
    const session = sessionOf(c.req.param());
    session.answerPasskey({ assertion });
    return c.json(session.view(), 202);
  });

  app.post("/:business_id/passkey/confirm", async (c) => {
    const { code } = await bodyOf(c.req.raw, passkeyConfirmation);
    const session = sessionOf(c.req.param());
    session.answerPasskey({ code });
    return c.json(session.view(), 202);
  });

  return app;
}
