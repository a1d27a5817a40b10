import { afterEach, describe, expect, test } from "bun:test";
import { watchEventLoop } from "./event_loop.ts";
import type { EventLoopWatch } from "./event_loop.ts";
import { createMetrics } from "./metrics.ts";

const block = (ms: number) => {
  // CPU time instead of wall-clock time, because the kernel may run another process in between.
  const startedAt = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(startedAt);
    if (user + system >= ms * 1000) return;
  }
};

describe("watchEventLoop", () => {
  let watch: EventLoopWatch | undefined;
  afterEach(() => watch?.stop());

  test("reports a block once", () => {
    watch = watchEventLoop();
    block(200);
    const { lagMs, blockMs } = watch.take();
    expect(blockMs).toBeGreaterThan(100);
    expect(lagMs).toBeGreaterThanOrEqual(blockMs);
    expect(watch.take().blockMs).toBeLessThan(100);
  });

  test("reports a block that ended before the call", async () => {
    watch = watchEventLoop();
    block(200);
    await Bun.sleep(0);
    expect(watch.take().blockMs).toBeGreaterThan(100);
  });

  test("reports waiting as lag, not as a block", () => {
    watch = watchEventLoop();
    Bun.sleepSync(200);
    const { lagMs, blockMs } = watch.take();
    expect(lagMs).toBeGreaterThan(150);
    expect(blockMs).toBeLessThan(100);
  });

  test("a scrape does not block the event loop", async () => {
    const { registry } = createMetrics("a-service");
    const heap = Array.from({ length: 300_000 }, (_, n) => ({ n, text: `${n}`, list: [n] }));
    await registry.metrics();
    watch = watchEventLoop();
    await registry.metrics();
    expect(heap).toHaveLength(300_000);
    expect(watch.take().blockMs).toBeLessThan(80);
  });

  test("exports the block as a gauge", async () => {
    const { registry } = createMetrics("a-service");
    await registry.metrics();
    block(200);
    const shown = /^prosaas_event_loop_block_seconds\{.*\} (\S+)$/m.exec(await registry.metrics())?.[1];
    expect(Number(shown)).toBeGreaterThan(0.1);
  });
});
