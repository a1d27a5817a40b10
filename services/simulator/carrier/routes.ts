import { Hono } from "hono";
import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import { safeEqual } from "../../../lib/core/secret.ts";
import type { SimulatedCall } from "./call.ts";
import type { Carrier } from "./carrier.ts";
import { carrierFault } from "./faults.ts";
import {
  calleeSettings,
  newCalls,
  number,
  numberSettings,
  pressed,
  restCall,
  restRedirect,
  silence,
} from "./schemas.ts";

const aCall = "/calls/:sid{CA[0-9a-f]{32}}";

/**
 * The carrier's control API. POST /calls starts inbound calls, GET /calls and /calls/:sid show them, DELETE hangs up,
 * PUT /numbers/:number and /callees/:number configure both ends, /calls/faults injects faults.
 */
export function carrierControl(carrier: Carrier): Hono {
  const app = new Hono();

  app.post("/calls", async (c) => {
    const { count, duration_s, ...call } = newCalls.parse(await json(c));
    const placed = Array.from({ length: count }, () => carrier.dialIn({ ...call, durationS: duration_s ?? null }));
    return c.json({ data: placed.map(({ sid }) => ({ sid })) }, 201);
  });

  app.get("/calls", (c) => {
    const status = c.req.query("status");
    const calls = carrier.calls().filter((call) => status === undefined || call.status === status);
    return c.json({ data: calls.map(summary) });
  });

  app.get(aCall, (c) => c.json(known(c).view()));

  app.delete(aCall, async (c) => {
    known(c).hangUp();
    return c.body(null, 204);
  });

  app.post(`${aCall}/digits`, async (c) => {
    known(c).press(pressed.parse(await json(c)).digits);
    return c.body(null, 204);
  });

  app.delete(`${aCall}/stream`, (c) => {
    if (!known(c).cutStream()) throw new AppError("conflict", "The call has no active media stream.");
    return c.body(null, 204);
  });

  app.post(`${aCall}/silence`, async (c) => {
    const { ms } = silence.parse(await json(c));
    if (!known(c).fallSilent(ms)) throw new AppError("conflict", "The call has no active media stream.");
    return c.body(null, 204);
  });

  app.put("/numbers/:number", async (c) => {
    const { voice_url, fallback_url, status_callback } = numberSettings.parse(await json(c));
    const webhooks = { voiceUrl: voice_url, fallbackUrl: fallback_url ?? null, statusUrl: status_callback ?? null };
    carrier.setNumber(number.parse(c.req.param("number")), webhooks);
    return c.body(null, 204);
  });

  app.put("/callees/:number", async (c) => {
    const { outcome, ring_ms } = calleeSettings.parse(await json(c));
    carrier.setCallee(number.parse(c.req.param("number")), { outcome, ringMs: ring_ms });
    return c.body(null, 204);
  });

  app.post("/calls/faults", async (c) => {
    const fault = carrierFault.parse(await json(c));
    carrier.faults.add(fault);
    return c.json(fault, 201);
  });

  app.get("/calls/faults", (c) => c.json({ data: carrier.faults.list() }));

  app.delete("/calls/faults", (c) => {
    carrier.faults.clear();
    return c.body(null, 204);
  });

  const known = (c: Context): SimulatedCall => {
    const call = carrier.get(c.req.param("sid") ?? "");
    if (!call) throw new AppError("not_found", "The call does not exist.");
    return call;
  };

  return app;
}

/** The part of Twilio's REST API (/2010-04-01) that an account uses. Requires the account's credentials. */
export function carrierRest(carrier: Carrier): Hono {
  const app = new Hono();
  const account = `/2010-04-01/Accounts/${carrier.accountSid}`;
  app.use(`${account}/*`, credentials(carrier));

  app.post(`${account}/Calls.json`, async (c) => {
    const form = restCall.safeParse(await c.req.parseBody());
    if (!form.success)
      return c.json({ code: 21201, message: form.error.issues[0]?.message ?? "invalid", status: 400 }, 400);
    const { From: from, To: to, Url: voiceUrl, FallbackUrl, StatusCallback } = form.data;
    if (carrier.faults.strike("rate_limited", to))
      return c.json({ code: 20429, message: "Too Many Requests", status: 429 }, 429);
    const call = carrier.dialOut({
      from,
      to,
      webhooks: { voiceUrl, fallbackUrl: FallbackUrl ?? null, statusUrl: StatusCallback ?? null },
    });
    return c.json(
      { sid: call.sid, account_sid: carrier.accountSid, status: "queued", direction: "outbound-api", from, to },
      201,
    );
  });

  app.post(`${account}/Calls/:file{CA[0-9a-f]{32}\\.json}`, async (c) => {
    const form = restRedirect.safeParse(await c.req.parseBody());
    if (!form.success)
      return c.json({ code: 21218, message: form.error.issues[0]?.message ?? "invalid", status: 400 }, 400);
    const call = carrier.get(c.req.param("file").replace(/\.json$/, ""));
    if (call === undefined)
      return c.json({ code: 20404, message: "The requested resource was not found", status: 404 }, 404);
    if (!call.redirect(form.data.Url))
      return c.json({ code: 21220, message: "Call is not in-progress. Cannot redirect.", status: 400 }, 400);
    return c.json({ sid: call.sid, account_sid: carrier.accountSid, status: call.status });
  });

  app.get(`${account}/Recordings/:file`, (c) => {
    const recording = carrier.recordings.get(c.req.param("file").replace(/\.wav$/, ""));
    if (recording === undefined)
      return c.json({ code: 20404, message: "The requested resource was not found", status: 404 }, 404);
    return c.body(new Uint8Array(recording.audio), 200, { "content-type": "audio/x-wav" });
  });

  return app;
}

function summary(call: SimulatedCall) {
  const { sid, direction, from, to, status, end, duration_s, heard_ms, recoveries_ms } = call.view();
  return { sid, direction, from, to, status, end, duration_s, heard_ms, recoveries_ms };
}

function credentials({ accountSid, authTokens }: Carrier): MiddlewareHandler {
  const accepted = authTokens.map((token) => `Basic ${Buffer.from(`${accountSid}:${token}`).toString("base64")}`);
  return async (c, next) => {
    const given = c.req.header("authorization") ?? "";
    if (!accepted.some((expected) => safeEqual(given, expected))) {
      return c.json({ code: 20003, message: "Authenticate", status: 401 }, 401);
    }
    return next();
  };
}

async function json(c: Context): Promise<unknown> {
  return c.req.json().catch((cause: unknown) => {
    throw new AppError("invalid_request", "The body is not JSON.", { cause });
  });
}
