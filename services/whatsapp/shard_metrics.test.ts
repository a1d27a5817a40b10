import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { ShardMetrics } from "./shard_metrics.ts";

describe("a shard's metrics", () => {
  test("show refused client versions from the first one", async () => {
    const metrics = createMetrics("whatsapp");
    const shard = new ShardMetrics(metrics);
    const refused = async () =>
      /^prosaas_whatsapp_connections_ended_total\{.*code="405".*\} (\d+)$/m.exec(await metrics.registry.metrics())?.[1];
    expect(await refused()).toBe("0");
    shard.ended(405);
    expect(await refused()).toBe("1");
  });
});
