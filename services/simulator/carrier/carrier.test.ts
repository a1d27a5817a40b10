import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { createLogger } from "../../../lib/runtime/log.ts";
import { problemHandler } from "../../../lib/runtime/problem.ts";
import { until } from "../../../lib/testing/until.ts";
import { Carrier } from "./carrier.ts";
import { carrierControl, carrierRest } from "./routes.ts";
import { sign } from "./signature.ts";
import { readOverrides } from "./webhook.ts";

/*
 * Tests the carrier against an application with scripted answers. services/calls/*.int.test.ts test the calls service
 * against the carrier.
 */

const authToken = "the-account-token-of-the-tests";
type RecordedRequest = { path: string; form: URLSearchParams; signed: boolean };

let requests: RecordedRequest[] = [];
let answers: Record<string, (form: URLSearchParams, times: number) => Response> = {};
const application = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const { pathname, search } = new URL(request.url);
    const form = new URLSearchParams(await request.text());
    const signed = request.headers.get("x-twilio-signature") === sign(authToken, `${base}${pathname}${search}`, form);
    requests.push({ path: pathname + search, form, signed });
    const times = requests.filter((ask) => ask.path === pathname + search).length;
    return answers[pathname]?.(form, times) ?? new Response(null, { status: 204 });
  },
});
const base = `http://127.0.0.1:${application.port}`;
const twiml = (inside: string) => () =>
  new Response(`<Response>${inside}</Response>`, { headers: { "content-type": "text/xml" } });

const nextToken = "the-token-that-follows-it";
const carrier = new Carrier({
  authToken,
  secondaryTokens: [nextToken],
  baseUrl: () => "http://carrier",
  msPerCharacter: 0,
});
const number = "+15550000002";
carrier.setNumber(number, { voiceUrl: `${base}/voice`, fallbackUrl: `${base}/fallback`, statusUrl: `${base}/status` });
const api = new Hono().onError(problemHandler(createLogger("test", "error", { write: () => {} })));
api.route("/", carrierControl(carrier)).route("/", carrierRest(carrier));

afterAll(async () => {
  await carrier.stop();
  await application.stop(true);
});
beforeEach(async () => {
  await carrier.stop();
  requests = [];
  answers = {};
  carrier.faults.clear();
});

const dial = (digits = "") => carrier.dialIn({ from: "+15550000001", to: number, durationS: null, digits });
const paths = () => requests.map(({ path }) => path);

describe("an inbound call", () => {
  test("requests TwiML with signed forms and reports its status", async () => {
    answers["/voice"] = twiml(`<Say>Hello</Say><Redirect>${base}/next?a=1</Redirect>`);
    answers["/next"] = twiml("<Hangup/>");
    const call = dial();
    await call.done;
    expect(paths().filter((path) => path !== "/status")).toEqual(["/voice", "/next?a=1"]);
    expect(requests.every(({ signed }) => signed)).toBeTrue();
    expect(Object.fromEntries(requests[0]!.form)).toMatchObject({
      CallSid: call.sid,
      AccountSid: carrier.accountSid,
      From: "+15550000001",
      To: number,
      CallStatus: "ringing",
      Direction: "inbound",
    });
    const statuses = requests.filter(({ path }) => path === "/status").map(({ form }) => form.get("CallStatus"));
    expect(statuses).toEqual(["in-progress", "completed"]);
    expect(call.view()).toMatchObject({ end: "application_hung_up", status: "completed" });
  });

  test("posts gathered digits to the action", async () => {
    answers["/voice"] = twiml(`<Gather numDigits="2" action="${base}/digits"><Say>Type.</Say></Gather><Hangup/>`);
    answers["/digits"] = (form) => twiml(form.get("Digits") === "42" ? "<Hangup/>" : "<Reject/>")();
    await dial("42").done;
    expect(requests.find(({ path }) => path === "/digits")?.form.get("Digits")).toBe("42");
    answers["/voice"] = twiml(`<Gather timeout="0" action="${base}/never"/><Redirect>${base}/nothing_typed</Redirect>`);
    answers["/nothing_typed"] = twiml("");
    const silent = dial();
    await silent.done;
    expect(paths()).toContain("/nothing_typed");
    expect(silent.view().end).toBe("document_over");
  });

  test("posts the results of Dial and Record", async () => {
    answers["/voice"] = twiml(`<Dial action="${base}/dialled"><Number>+15550000009</Number></Dial>`);
    answers["/dialled"] = twiml(
      `<Record maxLength="1" action="${base}/recorded" recordingStatusCallback="${base}/recording"/>`,
    );
    answers["/recorded"] = twiml("<Play>https://h.example/a.wav</Play>");
    const call = dial();
    await call.done;
    expect(requests.find(({ path }) => path === "/dialled")?.form.get("DialCallStatus")).toBe("completed");
    const recorded = requests.find(({ path }) => path === "/recorded")!.form;
    await until(() => paths().includes("/recording"), { what: "the recording's callback" });
    expect(requests.find(({ path }) => path === "/recording")?.form.get("RecordingSid")).toBe(
      recorded.get("RecordingSid"),
    );
    expect(call.view().log.map(({ what }) => what)).toContain("Play");
  });

  test("is never answered if it is rejected", async () => {
    answers["/voice"] = twiml('<Reject reason="busy"/>');
    const call = dial();
    await call.done;
    expect(call.view()).toMatchObject({ end: "rejected", status: "busy", duration_s: 0 });
  });

  test("posts a failed webhook's URL to the fallback", async () => {
    answers["/voice"] = () => new Response("full", { status: 503 });
    answers["/fallback"] = twiml("<Hangup/>");
    await dial().done;
    const { form } = requests.find(({ path }) => path === "/fallback")!;
    expect([form.get("ErrorUrl"), form.get("ErrorCode")]).toEqual([`${base}/voice`, "11200"]);
    answers["/fallback"] = () => new Response("<html>", { status: 200 });
    const lost = dial();
    await lost.done;
    expect(lost.view()).toMatchObject({ end: "application_error", status: "failed" });
  });

  test("retries by the URL's fragment without sending it", async () => {
    expect(readOverrides("https://h/a?b#rc=3&rp=5xx,ct&rt=900", 15_000)).toEqual({
      target: "https://h/a?b",
      retries: 3,
      policies: new Set(["5xx", "ct"]),
      readMs: 900,
    });
    expect(readOverrides("https://h/a", 15_000)).toMatchObject({
      retries: 1,
      policies: new Set(["ct"]),
      readMs: 15_000,
    });
    answers["/voice"] = twiml(`<Redirect>${base}/shaky#rc=2&amp;rp=5xx</Redirect>`);
    answers["/shaky"] = (_, times) => (times < 3 ? new Response(null, { status: 500 }) : twiml("<Hangup/>")());
    const call = dial();
    await call.done;
    expect(paths().filter((path) => path === "/shaky")).toHaveLength(3);
    expect(call.view().end).toBe("application_hung_up");
  });

  test("posts to the action if a stream cannot open", async () => {
    answers["/voice"] = twiml(`<Connect action="${base}/action"><Stream url="ws://127.0.0.1:9/"/></Connect>`);
    answers["/action"] = twiml("<Hangup/>");
    const call = dial();
    await call.done;
    expect(paths()).toContain("/action");
    expect(call.view().streams).toHaveLength(1);
  });

  test("fails on an unknown TwiML verb", async () => {
    answers["/voice"] = twiml("<Levitate/>");
    const call = dial();
    await call.done;
    expect(call.view()).toMatchObject({ end: "application_error", status: "failed" });
  });
});

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.request(path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

test("the control API starts, shows and hangs up calls", async () => {
  answers["/voice"] = twiml('<Pause length="60"/>');
  const { data } = (await (await ask("POST", "/calls", { from: "anonymous", to: number, count: 3 })).json()) as {
    data: { sid: string }[];
  };
  expect(data).toHaveLength(3);
  const { sid } = data[0]!;
  await until(
    async () => ((await (await ask("GET", `/calls/${sid}`)).json()) as { status: string }).status === "in-progress",
  );
  expect((await ask("DELETE", `/calls/${sid}`)).status).toBe(204);
  const view = (await (await ask("GET", `/calls/${sid}`)).json()) as { end: string };
  expect(view.end).toBe("caller_hung_up");
  const up = (await (await ask("GET", "/calls?status=in-progress")).json()) as { data: unknown[] };
  expect(up.data.length).toBeLessThanOrEqual(2);
  expect((await ask("POST", `/calls/${sid}/silence`, { ms: 5 })).status).toBe(409);
}, 20_000);

test("the REST API requires credentials and starts outbound calls", async () => {
  const path = `/2010-04-01/Accounts/${carrier.accountSid}/Calls.json`;
  const authorization = `Basic ${btoa(`${carrier.accountSid}:${authToken}`)}`;
  const post = (form: Record<string, string>, headers = { authorization }) =>
    api.request(path, { method: "POST", headers, body: new URLSearchParams(form) });
  answers["/answered"] = twiml("<Hangup/>");
  const form = { From: number, To: "+15550000007", Url: `${base}/answered`, StatusCallback: `${base}/status` };
  expect((await post(form, { authorization: "Basic eDp5" })).status).toBe(401);
  const withNext = { authorization: `Basic ${btoa(`${carrier.accountSid}:${nextToken}`)}` };
  expect((await post({ ...form, To: "12" }, withNext)).status).toBe(400);
  expect((await post({ ...form, To: "12" })).status).toBe(400);
  carrier.setCallee("+15550000007", { outcome: "answer", ringMs: 5 });
  const placed = await post(form);
  expect(placed.status).toBe(201);
  const { sid } = (await placed.json()) as { sid: string };
  await carrier.get(sid)!.done;
  const statuses = requests.filter(({ path: at }) => at === "/status").map(({ form: at }) => at.get("CallStatus"));
  expect(statuses).toEqual(["initiated", "ringing", "in-progress", "completed"]);
  const missing = await api.request(`/2010-04-01/Accounts/${carrier.accountSid}/Recordings/RE${"0".repeat(32)}.wav`, {
    headers: { authorization },
  });
  expect(missing.status).toBe(404);
});

test.each([
  ["late", ["in-progress", "completed"]],
  ["doubled", ["in-progress", "in-progress", "completed", "completed"]],
  ["reversed", ["completed", "in-progress"]],
  ["lost", []],
] as const)("the status fault sends callbacks %s", async (mode, expected) => {
  carrier.faults.add({ kind: "status", mode, ms: 30 });
  answers["/voice"] = twiml("<Hangup/>");
  await dial().done;
  await until(() => requests.filter(({ path }) => path === "/status").length === expected.length);
  expect(requests.filter(({ path }) => path === "/status").map(({ form }) => form.get("CallStatus"))).toEqual([
    ...expected,
  ]);
});
