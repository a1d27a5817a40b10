import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../lib/core/ids.ts";
import { getCall, getDelivery, insertWebhook, listDeliveries } from "../../lib/db/index.ts";
import { eventsOf } from "../../lib/events/stream.ts";
import { listLiveCalls } from "../../lib/calls/live_call.ts";
import { until } from "../../lib/testing/until.ts";
import { sweepCalls } from "./flow/sweep.ts";
import { someNumber } from "./testing/stack.ts";
import { longestSilenceMs, transferTo, useCalls } from "./testing/use_calls.ts";

const stage = useCalls();
const { dial, heard, marks, row } = stage;

describe("an inbound call", () => {
  test("is answered, relayed both ways and recorded", async () => {
    const business = await stage.stack.business();
    const call = dial(business.number);
    await until(() => call.view().heard_ms > 1500, { what: "the caller to hear the agent" });
    expect(call.view().streams).toMatchObject([{ faulty: 0, marks: ["greeting"] }]);
    expect(await stage.stack.capacity.count()).toBe(1);
    call.hangUp();
    await call.done;
    const written = {
      status: "completed",
      direction: "inbound",
      streams: 1,
      from_number: "+15551112222",
      to_number: business.number,
    };
    expect(await row(business, call)).toMatchObject(written);
    expect(await stage.stack.capacity.count()).toBe(0);
    const liveEvents = () => stage.stack.redis.xrange(eventsOf(business.scope.businessId), "-", "+");
    await until(async () => (await liveEvents()).length === 2, { what: "the live events" });
    const told = await liveEvents();
    expect(told.map(([, fields]) => (JSON.parse(fields[1]!) as { event: string }).event)).toEqual([
      "call.started",
      "call.ended",
    ]);
  });

  test("passes keys to the agent and obeys it", async () => {
    const { number } = await stage.stack.business();
    const call = dial(number, { digits: "12*#" });
    await call.done;
    const view = call.view();
    expect(marks(call)).toEqual(["greeting", "keys:1", "keys:12"]);
    expect(view.streams).toMatchObject([{ clears: 1 }]);
    expect(view.end).toBe("application_hung_up");
  });

  test("records a transfer and frees the slot", async () => {
    const business = await stage.stack.business();
    const call = dial(business.number, { digits: "9" });
    await until(() => call.view().log.some(({ what, detail }) => what === "dialled" && detail === transferTo), {
      what: "the dialling",
    });
    await until(async () => (await stage.stack.capacity.count()) === 0, { what: "the slot" });
    await call.done;
    expect(await row(business, call)).toMatchObject({ status: "completed", transferred_to: transferTo });
  });

  test("announces a recording and stores it once", async () => {
    const business = await stage.stack.business({ record: true, consent_line: "This call is recorded." });
    const call = dial(business.number, { digits: "1" });
    await heard(call, "keys:1");
    call.hangUp();
    const found = await until(
      async () => {
        const written = await getCall(business.scope, call.sid);
        return written && written.recordings.length > 0 ? written : null;
      },
      { what: "the recording" },
    );
    expect(
      call
        .view()
        .log.map(({ what }) => what)
        .filter((what) => /^[A-Z]/.test(what)),
    ).toEqual(["Say", "Start", "Connect"]);
    expect(found.recordings).toMatchObject([{ status: "pending", channels: 2, call_sid: call.sid }]);
    const { accountSid, authTokens } = stage.stack.carrier;
    const authorization = `Basic ${Buffer.from(`${accountSid}:${authTokens[0]}`).toString("base64")}`;
    const audio = await until(async () => {
      const response = await fetch(found.recordings[0]!.url!, { headers: { authorization } });
      return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
    });
    expect(audio.toString("latin1", 0, 4)).toBe("RIFF");
    expect(audio.length).toBeGreaterThan(8000);
  });

  test("to an unknown number is refused without trace", async () => {
    const call = dial(someNumber());
    await call.done;
    expect(call.view()).toMatchObject({ end: "rejected", status: "no-answer" });
    expect((await stage.stack.store.read(call.sid)).call).toBeNull();
  });

  test("answers a repeated webhook with the same call", async () => {
    const { number } = await stage.stack.business();
    stage.stack.carrier.faults.add({ kind: "repeated_webhook" });
    const call = dial(number, { digits: "1" });
    await heard(call, "keys:1");
    expect(await stage.stack.capacity.count()).toBe(1);
    expect(call.view().streams).toHaveLength(1);
  });

  test("resumes after its stream is cut", async () => {
    const business = await stage.stack.business();
    stage.stack.carrier.faults.add({ kind: "repeated_webhook" });
    const call = dial(business.number, { digits: "12" });
    await heard(call, "keys:12");
    const positionMs = async () => (await stage.stack.store.read(call.sid)).call!.position_ms;
    await until(async () => (await positionMs()) > 1000, { what: "the position to be saved" });
    const before = await positionMs();
    expect(call.cutStream()).toBeTrue();
    await heard(call, "welcome_back");
    call.press("3");
    await heard(call, "keys:123");
    expect(call.view().streams).toHaveLength(2);
    expect(call.view().recoveries_ms[0]).toBeLessThan(longestSilenceMs);
    expect(await stage.stack.capacity.count()).toBe(1);
    expect(await positionMs()).toBeGreaterThan(before);
    call.hangUp();
    expect(await row(business, call)).toMatchObject({ status: "completed", streams: 2 });
  });

  test("a forged webhook gets 403", async () => {
    const { number } = await stage.stack.business();
    stage.stack.carrier.faults.add({ kind: "bad_signature" });
    const call = dial(number);
    await call.done;
    expect(call.view()).toMatchObject({ end: "application_error", streams: [] });
    expect(call.view().log.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("/voice → 403"));
    expect((await stage.stack.store.read(call.sid)).call).toBeNull();
  });
});

describe("webhook deliveries of a call", () => {
  test("are written when it starts and ends", async () => {
    const { scope, number } = await stage.stack.business();
    const endpoint = { url: "https://a.example", description: null, ordered: true, max_concurrency: 8 };
    const webhook = { ...endpoint, id: uuidv7(), events: ["call.started", "call.ended"], secret: "sealed" };
    await insertWebhook(scope, webhook, 1);
    const deliveries = async () => (await listDeliveries(scope, webhook.id, { limit: 10 })).toReversed();
    const queued = () => stage.stack.redis.zcard("prosaas:high:prioritized");
    const queuedBefore = await queued();
    const call = dial(number);
    await until(async () => (await deliveries()).length === 1, { what: "the delivery of call.started" });
    await until(async () => (await queued()) > queuedBefore, { what: "a job that dispatches it" });
    call.hangUp();
    await call.done;
    await row({ scope }, call);
    const written = await deliveries();
    expect(written.map(({ event }) => event)).toEqual(["call.started", "call.ended"]);
    const ended = await getDelivery(scope, webhook.id, written[1]!.id);
    expect(JSON.parse(ended!.payload)).toMatchObject({
      type: "call.ended",
      data: { business_id: scope.businessId, call_sid: call.sid, status: "completed", to: number, streams: 1 },
    });
  });
});

describe("the limit", () => {
  test("gives 503, then busy, and follows live changes", async () => {
    const { number } = await stage.stack.business();
    await stage.stack.setLimit(3);
    await until(async () => (await limitSeen()).every((limit) => limit === 3), { what: "the lowered limit" });
    const calls = Array.from({ length: 8 }, () => dial(number));
    const outcomes = async () => {
      const views = calls.map((call) => call.view());
      const talking = views.filter((view) => view.streams.length > 0).length;
      return { talking, busy: views.filter((view) => view.status === "busy").length };
    };
    await until(async () => (await outcomes()).talking + (await outcomes()).busy === 8, {
      what: "every caller's answer",
    });
    expect(await outcomes()).toEqual({ talking: 3, busy: 5 });
    const refused = calls.find((call) => call.status === "busy")!;
    expect(refused.view().log.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("/voice → 503"));

    await stage.stack.setLimit(1);
    await until(async () => (await limitSeen()).every((limit) => limit === 1));
    expect(await stage.stack.capacity.count()).toBe(3);
    await stage.stack.setLimit(5);
    await until(async () => (await limitSeen()).every((limit) => limit === 5));
    const more = [dial(number), dial(number), dial(number)];
    await until(() => more.every((call) => call.view().streams.length > 0 || call.status === "busy"));
    expect(more.filter((call) => call.status === "busy")).toHaveLength(1);
    await stage.stack.setLimit(50);
    await until(async () => (await limitSeen()).every((limit) => limit === 50));

    async function limitSeen(): Promise<number[]> {
      const texts = await Promise.all(
        stage.stack.replicas.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()),
      );
      return texts.map((text) => Number(/^prosaas_calls_limit\{.*\} (\d+)$/m.exec(text)?.[1]));
    }
  });

  test("answers busy at once where configured", async () => {
    const { number } = await stage.stack.business({ max_concurrent: 0 });
    const replica = await stage.stack.addReplica({ CALLS_WHEN_FULL: "reject" });
    stage.stack.door.lead([replica.port]);
    stage.stack.door.drop();
    const call = dial(number);
    await call.done;
    expect(call.view()).toMatchObject({ end: "rejected", status: "busy" });
    expect(call.view().log.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("/voice → 200"));
    await stage.stack.stopReplica(replica);
  });

  test("refuses a business at its own limit", async () => {
    const small = await stage.stack.business({ max_concurrent: 1 });
    const other = await stage.stack.business();
    const first = dial(small.number);
    await heard(first, "greeting");
    const [second, third] = [dial(small.number), dial(other.number)];
    await second.done;
    expect(second.status).toBe("busy");
    await heard(third, "greeting");
  });
});

describe("the sweep", () => {
  test("ends a call whose end was never announced", async () => {
    const business = await stage.stack.business();
    stage.stack.carrier.faults.add({ kind: "status", mode: "lost", ms: 0 });
    const call = dial(business.number);
    await heard(call, "greeting");
    call.hangUp();
    await until(async () => (await stage.stack.capacity.count()) === 0, { what: "the slot" });
    expect((await stage.stack.store.read(call.sid)).call).toMatchObject({ step: "stopped" });
    await sweepCalls(stage.stack.replicas[0]!.core, 0);
    expect(await row(business, call)).toMatchObject({ status: "lost", streams: 1 });
  });

  test("a call mistaken for over continues", async () => {
    const business = await stage.stack.business();
    const call = dial(business.number, { digits: "1" });
    await heard(call, "keys:1");
    // A sweep skips a call that saves its progress at the same moment.
    const mistaken = await until(
      async () => {
        await sweepCalls(stage.stack.replicas[0]!.core, 0);
        return getCall(business.scope, call.sid);
      },
      { what: "the call to be ended" },
    );
    expect(mistaken).toMatchObject({ status: "lost" });
    await stage.stack.database.owner`update calls set streams = 0 where call_sid = ${call.sid}`;
    await until(async () => (await stage.stack.store.read(call.sid)).call?.step === "streaming", {
      what: "the call to be known again",
    });
    await until(async () => (await stage.stack.capacity.count()) === 1, { what: "its slot" });
    call.press("2");
    await heard(call, "keys:12");
    expect(call.view().streams).toHaveLength(1);
    expect(await listLiveCalls(stage.stack.redis, business.scope.businessId, 10)).toMatchObject([
      { call_sid: call.sid },
    ]);
    call.hangUp();
    await call.done;
    expect(await row(business, call)).toMatchObject({ status: "completed", streams: 1 });
  });
});

describe("a stopping replica", () => {
  test("hands over its calls without losing a caller", async () => {
    const business = await stage.stack.business();
    const calls = Array.from({ length: 12 }, () => dial(business.number, { digits: "1" }));
    await Promise.all(calls.map((call) => heard(call, "keys:1")));
    const leaving = stage.stack.replicas.find((replica) => replica.streams.live() > 0)!;
    const carried = leaving.streams.live();
    expect(await stage.stack.stopReplica(leaving)).toEqual({ failures: 0 });
    await until(() => calls.filter((call) => marks(call).includes("welcome_back")).length === carried, {
      what: "the calls to go on",
    });
    for (const call of calls) call.press("2");
    await Promise.all(calls.map((call) => heard(call, "keys:12")));
    expect(await stage.stack.capacity.count()).toBe(12);
    expect(calls.flatMap((call) => call.view().recoveries_ms).every((ms) => ms < longestSilenceMs)).toBeTrue();
    await stage.stack.addReplica();
  });
});
