import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../lib/testing/until.ts";
import { sid } from "./testing/call.ts";
import { authToken, callsToken, someNumber, startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";
import { createCarrier } from "./twilio/rest.ts";
import { signatureOf } from "./twilio/signature.ts";

const transferTo = "+442071234567";
const secondary = "the-next-token-of-the-tests";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ transferTo, env: { CALLS_PER_DAY: "3", TWILIO_AUTH_TOKEN_SECONDARY: secondary } });
});
afterAll(() => stack.close());

const dial = (body: { business_id: string; from: string; to: string }) =>
  fetch(`${stack.internalUrl()}/calls`, {
    method: "POST",
    headers: { authorization: `Bearer ${callsToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describe("destinations", () => {
  test("default to the calling number's country", async () => {
    const { scope, number } = await stack.business();
    const before = stack.carrier.calls().length;
    const refused = await dial({ business_id: scope.businessId, from: number, to: transferTo });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain("allowed_destinations");
    expect(stack.carrier.calls()).toHaveLength(before);
    expect(await stack.capacity.count()).toBe(0);
    expect((await dial({ business_id: scope.businessId, from: number, to: someNumber() })).status).toBe(201);
  });

  test("follow the business's rules", async () => {
    const { scope, number } = await stack.business({ allowed_destinations: ["+44"] });
    expect((await dial({ business_id: scope.businessId, from: number, to: transferTo })).status).toBe(201);
    expect((await dial({ business_id: scope.businessId, from: number, to: someNumber() })).status).toBe(403);
  });

  test("of transfers are checked without ending the call", async () => {
    const { number } = await stack.business();
    const call = stack.carrier.dialIn({ from: "+15551112222", to: number, durationS: null, digits: "91" });
    const marks = () => call.view().streams.flatMap((stream) => stream.marks);
    await until(() => marks().includes("transfer_failed:destination_not_allowed"), {
      what: "the refusal of the transfer",
    });
    await until(() => marks().includes("keys:1"), { what: "the agent to go on" });
    expect(call.view().log.some(({ what }) => what === "dialled")).toBeFalse();
    call.hangUp();
    await call.done;
  });
});

describe("calls of 24 hours", () => {
  test("are limited for each business", async () => {
    const { scope, number } = await stack.business();
    const order = () => dial({ business_id: scope.businessId, from: number, to: someNumber() });
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await order()).status);
    expect(statuses).toEqual([201, 201, 201, 429]);
    const other = await stack.business({ max_per_day: 0 });
    const refused = await dial({ business_id: other.scope.businessId, from: other.number, to: someNumber() });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("a call that finds no slot", () => {
  test("does not count towards the day", async () => {
    const { scope, number } = await stack.business({ max_concurrent: 1, max_per_day: 1 });
    const order = async () => (await dial({ business_id: scope.businessId, from: number, to: someNumber() })).status;
    const slot = { callSid: sid("CA"), businessId: scope.businessId };
    await stack.capacity.admit({ ...slot, limits: { all: 50, business: 1 } });
    for (let n = 0; n < 4; n++) expect(await order()).toBe(503);
    await stack.capacity.release(slot);
    expect(await order()).toBe(201);
  });
});

describe("tokens of the carrier", () => {
  const post = async (token: string, signed = "", original?: string) => {
    const { number } = await stack.business();
    const fields = {
      AccountSid: stack.carrier.accountSid,
      CallSid: sid("CA"),
      CallStatus: "in-progress",
      Direction: "inbound",
    };
    const form = Object.entries({ ...fields, From: "+15551112222", To: number });
    const url = `${stack.door.url}/webhooks/twilio/voice${signed}`;
    return fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signatureOf(token, original === undefined ? url : `${stack.door.url}${original}`, form),
        ...(original === undefined ? {} : { "x-original-uri": original }),
      },
      body: new URLSearchParams(form).toString(),
    });
  };

  test("both sign during a rotation", async () => {
    for (const token of [authToken, secondary]) expect((await post(token)).status).toBe(200);
    expect((await post("another-token-of-somebody")).status).toBe(403);
  });

  test("sign the bytes of the request target", async () => {
    const target = "/webhooks/twilio/./voice?a='b'";
    expect((await post(authToken, "?a=%27b%27", target)).status).toBe(200);
    expect((await post(authToken, "?a=%27b%27", "/webhooks/twilio/status?a='b'")).status).toBe(403);
  });

  test("go to the configured host only", async () => {
    let asked = 0;
    const elsewhere = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => (asked++, Response.json({ sid: sid("CA") })),
    });
    const headers = { location: `http://127.0.0.1:${elsewhere.port}/` };
    const api = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(null, { status: 307, headers }),
    });
    const carrier = createCarrier({
      apiUrl: `http://127.0.0.1:${api.port}`,
      accountSid: stack.carrier.accountSid,
      authToken,
    });
    const call = {
      from: "+1",
      to: "+2",
      url: "http://h/v",
      fallbackUrl: "http://h/f",
      statusUrl: "http://h/s",
      ringS: 10,
    };
    await expect(carrier.dial(call)).rejects.toThrow("status 307");
    expect(asked).toBe(0);
    await Promise.all([api.stop(true), elsewhere.stop(true)]);
  });
});
