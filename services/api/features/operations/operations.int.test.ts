import { describe, expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";

const api = useHarness();

describe("operations", () => {
  test("list shards and queues", async () => {
    const { id } = await api.business();
    api.shards.sessions.set(id, sessionOf(id, { shard: 2 }));
    const shards = await api.request("GET", "/v1/admin/shards");
    expect(shards.body.data.map((shard: { shard: number }) => shard.shard)).toEqual([1, 2]);
    expect(shards.body.data[1]).toMatchObject({
      address: "http://shard-2",
      healthy: true,
      version: "1.2.3",
      messages_per_minute: 12,
    });
    expect(shards.body.data[1].sessions_open).toBeGreaterThanOrEqual(1);
    api.shards.away = true;
    expect((await api.request("GET", "/v1/admin/shards")).body.data[0]).toMatchObject({
      shard: 1,
      healthy: false,
      sessions: null,
    });
    expect((await api.request("GET", "/v1/admin/queues")).body.data).toEqual([
      { queue: "high", group: "high", waiting: 1, active: 2, delayed: 3, dead: 4, oldest_ms: 5 },
    ]);
  });

  test("serve health, readiness and metrics without a key", async () => {
    expect((await api.request("GET", "/health", { key: "" })).status).toBe(200);
    expect((await api.request("GET", "/ready", { key: "" })).body).toMatchObject({ status: "ready" });
    expect((await api.request("GET", "/metrics", { key: "" })).body).toContain("prosaas_api_messages_accepted_total");
  });
});
