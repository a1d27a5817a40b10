import { describe, expect, test } from "bun:test";
import { changeBroadcastStatus } from "../../../lib/db/index.ts";
import { refusal } from "../testing/shard.ts";
import { useBroadcastStage } from "../testing/broadcasts.ts";

const stage = useBroadcastStage();
const { expectEachOnce, logged, reached, runEnded, scope, serve, start, status, texts, wake, wakeSends } = stage;

describe("release rate", () => {
  test("keeps its rate and waits for its schedule", async () => {
    await serve();
    const later = await start(5, { scheduled_at: new Date(Date.now() + 3_600_000) });
    const begun = performance.now();
    const paced = await start(6, { per_minute: 600 });
    await reached(paced, "completed");
    // Six at ten a second: the first at once, the last after half a second.
    expect(performance.now() - begun).toBeGreaterThan(480);
    expect(await status(later)).toBe("scheduled");
    await stage.workers.database
      .owner`update broadcasts set scheduled_at = now() - interval '1 second' where id = ${later}`;
    await stage.workers.sweep();
    await reached(later, "completed");
  });

  test("releases nothing while no WhatsApp is paired", async () => {
    await stage.workers.database.owner`update whatsapp_sessions set paired = false`;
    await serve();
    const id = await start(5);
    await logged({ reason: "the business has no paired WhatsApp" }, "the wait");
    expect(await stage.workers.rows(stage.business)).toHaveLength(0);
    await stage.workers.database.owner`update whatsapp_sessions set paired = true`;
    await wake(id);
    await reached(id, "completed");
  });
});

/** Quiet hours around now: no test reaches their edge, whatever the time of day. */
const quietNow = () => {
  const wall = (offsetMs: number) => new Date(Date.now() + offsetMs).toISOString().slice(11, 16);
  return { from: wall(-6 * 3_600_000), to: wall(6 * 3_600_000) };
};
const quietHours = (hours: { from: string; to: string } | null) =>
  stage.workers.database
    .owner`update broadcasts set quiet_from = ${hours?.from ?? null}, quiet_to = ${hours?.to ?? null}`;
const firstTry = () => logged({ job: "send_broadcasts", outcome: "postponed" }, "an attempt");
const isQuiet = () => logged({ reason: "quiet hours" }, "the quiet");
/** Waits until no run is in flight that claimed messages before: the runs of a business follow one another. */
const lastClaimEnded = () => runEnded(wakeSends, { job: "send_broadcasts" });
/** Held messages are sent after the quiet hours, each once. */
const goesOnAfterThem = async (id: string, count: number) => {
  await quietHours(null);
  await wake(id);
  await reached(id, "completed");
  expectEachOnce(count);
};

describe("quiet hours", () => {
  test("hold back released messages", async () => {
    stage.workers.shard.refuse = () => refusal(503, "The session is not open.");
    await serve();
    const id = await start(10);
    await firstTry();
    await quietHours(quietNow());
    await wake(id);
    await isQuiet();
    await lastClaimEnded();
    stage.workers.shard.refuse = () => undefined;
    await runEnded(wakeSends, { job: "send_broadcasts", outcome: "done" });
    expect(texts()).toEqual([]);
    await goesOnAfterThem(id, 10);
  });

  test("hold back a broadcast resumed during them", async () => {
    stage.workers.shard.refuse = () => refusal(503, "The session is not open.");
    await serve();
    const id = await start(10);
    await firstTry();
    await changeBroadcastStatus(scope(), id, "pause");
    await quietHours(quietNow());
    await lastClaimEnded();
    stage.workers.shard.refuse = () => undefined;
    await changeBroadcastStatus(scope(), id, "resume");
    await runEnded(wakeSends, { job: "send_broadcasts" });
    await wake(id);
    await isQuiet();
    expect(texts()).toEqual([]);
    await goesOnAfterThem(id, 10);
  });

  test("hold back a slow broadcast within a second", async () => {
    let mayGo = false;
    stage.workers.shard.decide = () =>
      mayGo ? undefined : { status: "paced", wait_ms: 3_600_000, holds: "everything" };
    await serve();
    const id = await start(2, { per_minute: 1 });
    await logged({ reason: "the account is paced" }, "its first message at the shard");
    await logged({ reason: "the broadcast is rate limited" }, "its pace");
    await quietHours(quietNow());
    await isQuiet();
    mayGo = true;
    await runEnded(wakeSends, { job: "send_broadcasts" });
    expect(texts()).toEqual([]);
    expect(await status(id)).toBe("running");
  });
});
