import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forBusiness, getCall, recordCall, recordRecording } from "../../../lib/db/index.ts";
import { endedCall } from "../../../lib/testing/ended_call.ts";
import { createFolderStore, createSealedStore } from "../../../lib/storage/index.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { until } from "../../../lib/testing/until.ts";
import { firstRun } from "../testing/run.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";
import { fetchRecordings } from "./fetch_recordings.ts";

const accountSid = `AC${"0".repeat(32)}`;
const authToken = "the token of the account";
const folder = await mkdtemp(join(tmpdir(), "prosaas-recordings-"));
const store = createSealedStore(createFolderStore(folder), KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`));

/** The carrier's answers for a recording, attempt by attempt. */
const answers = new Map<string, (number | string)[]>();
const asked: { sid: string; authorization: string | null }[] = [];
const carrier = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => {
    const sid = /(RE[0-9a-f]{32})\.wav$/.exec(request.url)?.[1] ?? "";
    asked.push({ sid, authorization: request.headers.get("authorization") });
    const answer = answers.get(sid)?.shift() ?? 404;
    return typeof answer === "number" ? new Response("no", { status: answer }) : new Response(answer);
  },
});
const apiUrl = `http://127.0.0.1:${carrier.port}`;

let workers: TestWorkers;
beforeAll(async () => {
  workers = await createTestWorkers();
  const fetching = fetchRecordings({ ...workers.deps, recordings: { store, apiUrl, accountSid, authToken } });
  await workers.serve("recordings", { handlers: { fetch_recordings: fetching } });
  fetchNow = async () => {
    await workers.database
      .owner`update call_recordings set next_attempt_at = date_trunc('milliseconds', now()) where status = 'pending'`;
    await fetching(firstRun({}));
  };
});
afterAll(async () => {
  await workers.close();
  await carrier.stop(true);
  await rm(folder, { recursive: true });
});

let fetchNow: () => Promise<void>;

async function recorded(url?: string) {
  const businessId = await workers.business();
  const scope = forBusiness(workers.database.db, businessId);
  const callSid = `CA${randomBytes(16).toString("hex")}`;
  const sid = `RE${randomBytes(16).toString("hex")}`;
  await recordCall(scope, endedCall({ call_sid: callSid }));
  const given = url ?? `${apiUrl}/2010-04-01/Accounts/${accountSid}/Recordings/${sid}`;
  await recordRecording(scope, { recording_sid: sid, call_sid: callSid, url: given, duration_s: 1, channels: 2 });
  return {
    sid,
    key: `recordings/${businessId}/${callSid}/${sid}.wav`,
    row: async () => (await getCall(scope, callSid))!.recordings[0]!,
  };
}

describe("fetch_recordings", () => {
  test("stores a recording fetched with the account's credentials", async () => {
    const { sid, key, row } = await recorded();
    answers.set(sid, ["RIFF…"]);
    await fetchNow();
    expect(await row()).toMatchObject({ status: "stored", storage_key: key, attempts: 1 });
    const kept = (await store.get(key))!;
    expect(Buffer.concat(await Array.fromAsync(kept.bytes())).toString()).toBe("RIFF…");
    expect(await Bun.file(join(folder, key)).text()).not.toContain("RIFF");
    expect(asked.find((ask) => ask.sid === sid)?.authorization).toBe(`Basic ${btoa(`${accountSid}:${authToken}`)}`);
  });

  test("retries a missing recording and an unavailable carrier", async () => {
    const { sid, row } = await recorded();
    answers.set(sid, [404, 503, "RIFF"]);
    await fetchNow();
    expect(await row()).toMatchObject({ status: "pending", attempts: 1, error: "The carrier answered 404" });
    expect((await row()).next_attempt_at!.getTime()).toBeGreaterThan(Date.now());
    await fetchNow();
    expect(await row()).toMatchObject({ status: "pending", attempts: 2 });
    await fetchNow();
    await fetchNow();
    expect(await row()).toMatchObject({ status: "stored", attempts: 3 });
    expect(asked.filter((ask) => ask.sid === sid)).toHaveLength(3);
  });

  test("sends credentials to the carrier only", async () => {
    const { row } = await recorded("http://127.0.0.1:9/recording");
    await fetchNow();
    expect(await row()).toMatchObject({ status: "failed", error: expect.stringContaining("not at the carrier") });
  });

  test("runs on a wake-up from the calls service", async () => {
    const { sid, row } = await recorded();
    answers.set(sid, ["RIFF"]);
    await workers.producer.wake("fetch_recordings", {});
    await until(async () => (await row()).status === "stored", { what: "the recording" });
  });
});
