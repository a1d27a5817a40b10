import { afterEach, describe, expect, test } from "bun:test";
import { watchEventLoop } from "./event_loop.ts";
import type { EventLoopWatch } from "./event_loop.ts";
import { createMetrics } from "./metrics.ts";

const block = (ms: number) => {
  // CPU time and not wall-clock time: another process may have the CPU meanwhile.
  const began = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(began);
    if (user + system >= ms * 1000) return;
  }
};

describe("event loop watch", () => {
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

  test("sees a block that ended before the call", async () => {
    watch = watchEventLoop();
    block(200);
    await Bun.sleep(0);
    expect(watch.take().blockMs).toBeGreaterThan(100);
  });

  test("counts waiting as lag and not as a block", () => {
    watch = watchEventLoop();
    Bun.sleepSync(200);
    const { lagMs, blockMs } = watch.take();
    expect(lagMs).toBeGreaterThan(150);
    expect(blockMs).toBeLessThan(100);
  });

  test("is not blocked by a scrape", async () => {
    const { registry } = createMetrics("a-service");
    const heap = Array.from({ length: 300_000 }, (_, n) => ({ n, text: `${n}`, list: [n] }));
    await registry.metrics();
    watch = watchEventLoop();
    await registry.metrics();
    expect(heap).toHaveLength(300_000);
    expect(watch.take().blockMs).toBeLessThan(80);
  });

  test("is a gauge of every process", async () => {
    const { registry } = createMetrics("a-service");
    await registry.metrics();
    block(200);
    const shown = /^prosaas_event_loop_block_seconds\{.*\} (\S+)$/m.exec(await registry.metrics())?.[1];
    expect(Number(shown)).toBeGreaterThan(0.1);
  });
});
