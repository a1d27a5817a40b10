import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import {
  assignPhoneNumber,
  findLine,
  finishRecording,
  forPlatform,
  getCall,
  getCallSettings,
  listCalls,
  listPhoneNumbers,
  pendingRecordings,
  putCallSettings,
  recordCall,
  recordRecording,
  releasePhoneNumber,
} from "../index.ts";
import type { BusinessScope, EndedCall, PlatformScope } from "../index.ts";

let database: MigratedDatabase;
let platform: PlatformScope;
let mine: BusinessScope;
let other: BusinessScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  platform = forPlatform(database.db);
  mine = await createBusiness(database.db);
  other = await createBusiness(database.db);
});
afterAll(() => database.close());

const sid = (kind: string) => `${kind}${randomBytes(16).toString("hex")}`;
const ended = (more: Partial<EndedCall> = {}): EndedCall => ({
  call_sid: sid("CA"),
  direction: "inbound",
  from_number: "+15550000001",
  to_number: "+15550000002",
  status: "completed",
  streams: 1,
  transferred_to: null,
  started_at: new Date("2026-01-01T00:00:00Z"),
  answered_at: null,
  ended_at: new Date("2026-01-01T00:01:00Z"),
  duration_s: 60,
  ...more,
});

describe("lines", () => {
  test("finds the business and settings of a number", async () => {
    const number = "+15550001000";
    expect(await findLine(platform, { number, callSid: sid("CA") })).toEqual({ line: undefined, ended: false });
    expect(await assignPhoneNumber(mine, number)).toBe("assigned");
    expect(await assignPhoneNumber(mine, number)).toBe("assigned");
    expect(await assignPhoneNumber(other, number)).toBe("taken");
    const limits = { max_concurrent: null, allowed_destinations: null, max_per_day: null };
    const plain = { number, business_id: mine.businessId, ...limits, record: false, consent_line: null };
    expect((await findLine(platform, { number, callSid: sid("CA") })).line).toEqual(plain);
    const settings = {
      max_concurrent: 3,
      allowed_destinations: ["+44"],
      max_per_day: 9,
      record: true,
      consent_line: "This call is recorded.",
    };
    await putCallSettings(mine, settings);
    expect(await getCallSettings(mine)).toMatchObject(settings);
    expect((await findLine(platform, { number, callSid: sid("CA") })).line).toEqual({ ...plain, ...settings });
    expect(await releasePhoneNumber(other, number)).toBeFalse();
    expect((await listPhoneNumbers(mine)).map((row) => row.number)).toEqual([number]);
    expect(await releasePhoneNumber(mine, number)).toBeTrue();
  });

  test("refuses recording without a consent line", async () => {
    const silent = putCallSettings(mine, { max_concurrent: null, record: true, consent_line: null });
    await expect(silent).rejects.toThrow("consent");
  });
});

describe("ended calls", () => {
  test('are recorded once; a real outcome replaces "lost"', async () => {
    const call = ended();
    await recordCall(mine, { ...call, status: "lost", duration_s: 5 });
    await recordCall(mine, call);
    await recordCall(mine, { ...call, status: "failed", duration_s: 1 });
    expect(await getCall(mine, call.call_sid)).toMatchObject({ status: "completed", duration_s: 60 });
    expect((await findLine(platform, { number: "+15559999999", callSid: call.call_sid })).ended).toBeTrue();
  });

  test("are invisible to other businesses", async () => {
    const call = ended({ status: "lost" });
    await recordCall(mine, call);
    await recordCall(other, { ...call, status: "failed" });
    expect(await getCall(other, call.call_sid)).toBeUndefined();
    expect(await getCall(mine, call.call_sid)).toMatchObject({ status: "lost" });
  });

  test("are listed newest first, page by page", async () => {
    const scope = await createBusiness(database.db);
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
    const rows = [0, 1, 1, 2].map((minute) =>
      ended({ started_at: at(minute), direction: minute === 2 ? "outbound" : "inbound" }),
    );
    for (const row of rows) await recordCall(scope, row);
    const first = await listCalls(scope, { limit: 2 });
    const second = await listCalls(scope, { limit: 2, before: first[1]! });
    expect([...first, ...second].map((row) => row.started_at.getUTCMinutes())).toEqual([2, 1, 1, 0]);
    expect(new Set([...first, ...second].map((row) => row.call_sid)).size).toBe(4);
    expect(await listCalls(scope, { limit: 9, direction: "outbound" })).toHaveLength(1);
  });
});

describe("recordings", () => {
  test("are recorded once and pending until stored", async () => {
    const call = ended();
    await recordCall(mine, call);
    const recording = {
      recording_sid: sid("RE"),
      call_sid: call.call_sid,
      url: "https://carrier/re",
      duration_s: 5,
      channels: 2,
    };
    expect(await recordRecording(mine, recording)).toBeTrue();
    expect(await recordRecording(mine, recording)).toBeFalse();
    const pending = async () =>
      (await pendingRecordings(platform, 100)).filter((row) => row.recording_sid === recording.recording_sid);
    expect(await pending()).toHaveLength(1);
    await finishRecording(mine, recording.recording_sid, {
      status: "pending",
      error: "404",
      next_attempt_at: new Date(Date.now() + 60_000),
    });
    expect(await pending()).toHaveLength(0);
    await finishRecording(mine, recording.recording_sid, { status: "stored", storage_key: "recordings/re" });
    await finishRecording(mine, recording.recording_sid, { status: "failed", error: "late" });
    const found = await getCall(mine, call.call_sid);
    expect(found?.recordings).toMatchObject([{ status: "stored", storage_key: "recordings/re", attempts: 2 }]);
  });

  test("are absent if the carrier made none", async () => {
    const recording_sid = sid("RE");
    await recordRecording(mine, { recording_sid, call_sid: sid("CA"), url: null, duration_s: null, channels: null });
    expect((await pendingRecordings(platform, 100)).map((row) => row.recording_sid)).not.toContain(recording_sid);
  });
});
