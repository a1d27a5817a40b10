import { z } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { Phone } from "../phones/phone.ts";
import type { Passkeys } from "./passkey.ts";
import { passkeySettings } from "./passkey_account.ts";

const repetition = z.strictObject({ times: z.int().min(1).max(1000).default(1) });

/** The control API of a phone's passkeys, mounted at `/phones/:phone/passkey`. */
export function passkeyControl(passkeys: Passkeys, known: (phone: string) => Phone): Hono {
  const app = new Hono();
  const phoneOf = (phone: string | undefined) => known(phone ?? "");

  /** Registers the phone's passkeys: companions are linked with one of them only. */
  app.put("/", async (c) => {
    const phone = phoneOf(c.req.param("phone"));
    passkeys.set(phone, passkeySettings.parse(await c.req.json()));
    return c.json(passkeys.view(phone));
  });
  app.get("/", (c) => c.json(passkeys.view(phoneOf(c.req.param("phone")))));

  app.post("/request", async (c) => {
    const phone = phoneOf(c.req.param("phone"));
    passkeys.requestAgain(phone, repetition.parse(await c.req.json()).times);
    return c.json(passkeys.view(phone));
  });
  /** Another account sends the companion stanzas of the exchange. */
  app.post("/spoof", (c) => {
    const phone = phoneOf(c.req.param("phone"));
    passkeys.spoof(phone);
    return c.json(passkeys.view(phone));
  });
  app.post("/cancel", (c) => {
    const phone = phoneOf(c.req.param("phone"));
    passkeys.cancel(phone);
    return c.json(passkeys.view(phone));
  });
  return app;
}
