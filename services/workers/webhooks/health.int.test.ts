import { describe, expect, test } from "bun:test";
import { updateWebhook } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWebhookStage } from "../testing/webhooks.ts";
import { healthPolicy } from "./health.ts";

const stage = useWebhookStage();
const { passTime, receive, scope, serve, settled } = stage;

describe("health", () => {
  test("backs off, pauses and notifies, recovers on success", async () => {
    // Only `passTime` ends a wait.
    stage.workers.deps.webhooks.health = { ...healthPolicy, shortestWaitMs: 60_000 };
    const failing = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    const watching = await stage.workers.endpoint(stage.business, { events: ["webhook.paused"] });
    let broken = true;
    failing.answer = async () => (broken ? new Response(null, { status: 500 }) : undefined);
    await serve();
    await receive(40, 40);
    await until(async () => (await stage.workers.webhook(failing.id)).next_attempt_at !== null, {
      what: "the endpoint to be left alone",
    });
    // The failures in a row, and those in flight beside them.
    expect(failing.requests).toBeLessThanOrEqual(healthPolicy.failures + 8);
    const requests = failing.requests;
    await stage.workers.producer.wake("deliver", { webhook_id: failing.id });
    await until(
      () => stage.workers.lines.filter((line) => line["job"] === "deliver" && line["outcome"] === "done").length >= 2,
      {
        what: "the run",
      },
    );
    expect(failing.requests).toBe(requests);

    await passTime(failing.id);
    await until(async () => (await stage.workers.webhook(failing.id)).status === "paused", { what: "the pause" });
    expect(failing.requests).toBe(requests + 1);
    expect(await stage.workers.webhook(failing.id)).toMatchObject({
      status_reason: "It answered 500.",
      status: "paused",
    });
    await until(() => watching.received.length === 1, { what: "the notice" });
    expect(watching.received[0]!.data).toMatchObject({ webhook_id: failing.id, reason: "It answered 500." });
    const liveEvents = () => stage.workers.liveEvents(stage.business, "webhook.paused");
    await until(async () => (await liveEvents()).length > 0, { what: "the live event" });
    expect(await liveEvents()).toMatchObject([{ webhook_id: failing.id }]);

    broken = false;
    await passTime(failing.id);
    await settled(failing.id, "delivered");
    await until(async () => (await stage.workers.webhook(failing.id)).status === "active", {
      what: "the endpoint to be well",
    });
    expect(await stage.workers.webhook(failing.id)).toMatchObject({
      status_reason: null,
      failures: 0,
      failing_since: null,
    });
    expect(failing.received).toHaveLength(40);
  });

  test("410 disables; enabling resumes", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    endpoint.answer = async () => new Response(null, { status: 410 });
    await serve();
    await receive(1);
    await until(async () => (await stage.workers.webhook(endpoint.id)).status === "disabled", {
      what: "the endpoint to be disabled",
    });
    await receive(1);
    await until(() => stage.workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
    expect(await stage.workers.deliveries(endpoint.id)).toHaveLength(1);
    endpoint.answer = async () => undefined;
    await updateWebhook(scope(), endpoint.id, { status: "active" });
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
  });
});
