import { beforeEach, describe, expect, test } from "bun:test";
import { forBusiness, pendingMessages, recordSendResults } from "../../../../lib/db/index.ts";
import { defaultLimits } from "../../../../lib/contracts/shard/index.ts";
import { useHarness } from "../../testing/use_harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";

let id: string;
let path: string;
const api = useHarness();
beforeEach(async () => {
  api.pacing.away = false;
  ({ id } = await api.business());
  path = `/v1/businesses/${id}/whatsapp/pacing`;
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(id, sessionOf(id));
});

const scope = () => forBusiness(api.database.db, id);
const due = async () => (await pendingMessages(scope(), { limit: 50 })).messages;

/** Stores a message that pacing delays by an hour. */
async function pacedMessage(): Promise<void> {
  const body = { to: "5511900000002", type: "text", text: "hello" };
  const { body: accepted } = await api.request("POST", `/v1/businesses/${id}/messages`, { body });
  await recordSendResults(scope(), [
    { id: accepted.id, status: "paced", next_attempt_at: new Date(Date.now() + 3_600_000) },
  ]);
  expect(await due()).toEqual([]);
}

describe("pacing", () => {
  test("replaces settings and fills in the platform's defaults", async () => {
    expect((await api.request("GET", path)).body).toMatchObject({
      settings: {},
      limits: { ...defaultLimits, enabled: true },
      state: { warmth: 1 },
    });
    const set = await api.request("PUT", path, { body: { messages_per_minute: 5, warm_up_days: 0 } });
    expect(set.status).toBe(200);
    expect(set.body).toMatchObject({
      settings: { messages_per_minute: 5, warm_up_days: 0 },
      limits: { ...defaultLimits, messages_per_minute: 5, warm_up_days: 0 },
    });
    expect((await api.request("PUT", path, { body: { enabled: false } })).body).toMatchObject({
      settings: { enabled: false },
      limits: { ...defaultLimits, enabled: false },
    });
    expect((await api.request("PUT", path, { body: {} })).body.settings).toEqual({});
  });

  test("works while the shard is unreachable", async () => {
    api.pacing.away = true;
    const set = await api.request("PUT", path, { body: { messages_per_minute: 5 } });
    expect([set.status, set.body]).toEqual([200, { settings: { messages_per_minute: 5 }, limits: null, state: null }]);
  });

  test("wakes both outboxes when limits change", async () => {
    await pacedMessage();
    await api.wakeUps.settled();
    api.woken.length = 0;
    await api.request("PUT", path, { body: { messages_per_minute: 600 } });
    expect(await due()).toHaveLength(1);
    await api.wakeUps.settled();
    // The urgent outbox and the broadcast outbox.
    expect(api.woken).toEqual([id, id]);
  });

  test("lifts a sending stop and releases waiting messages", async () => {
    await pacedMessage();
    expect((await api.request("DELETE", `${path}/stops`)).status).toBe(204);
    expect(api.pacing.resumed).toContain(id);
    expect(await due()).toHaveLength(1);
    api.pacing.away = true;
    expect((await api.request("DELETE", `${path}/stops`)).status).toBe(503);
  });

  test("rejects invalid limits by field", async () => {
    const body = { messages_per_minute: 0, jitter: 2, messages_per_hour: 5 };
    const answer = await api.request("PUT", path, { body });
    expect(answer.status).toBe(400);
    const fields = answer.body.errors.map(({ field }: { field: string }) => field);
    expect(fields.toSorted()).toEqual(["jitter", "messages_per_hour", "messages_per_minute"]);
  });
});
