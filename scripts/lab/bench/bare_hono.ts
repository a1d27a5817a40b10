import { Hono } from "hono";
import { serve } from "../../../lib/runtime/http.ts";
import { run } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";

// The least that an HTTP service of ours can do: what the API's routes are measured against.
const logger = createLogger("bare-hono", "error");
await run("bare-hono", logger, async (life) => {
  const app = new Hono();
  app.get("/webhooks/twilio/bare", (c) => c.json({ ok: true }));
  const { port } = serve({ app, host: "127.0.0.1", port: 0, life });
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
