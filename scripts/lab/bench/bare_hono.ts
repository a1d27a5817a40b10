import { Hono } from "hono";
import { serve } from "../../../lib/runtime/http.ts";
import { run } from "../../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../../lib/runtime/log.ts";

// The baseline of the API's routes: an HTTP service that does nothing.
const logger = createLogger("bare-hono", "error");
await run("bare-hono", logger, async (life) => {
  const app = new Hono();
  app.get("/webhooks/twilio/bare", (c) => c.json({ ok: true }));
  const { port } = serve({ app, host: "127.0.0.1", port: 0, life });
  process.stdout.write(`${JSON.stringify({ port, ops_port: port, msg: "listening" })}\n`);
});
