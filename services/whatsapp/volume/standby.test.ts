import { beforeEach, describe, expect, test } from "bun:test";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { Standby } from "./standby.ts";

let lines: string[];
let metrics: Metrics;
let stop: AbortController;
let standby: Standby;
const gauge = async () => /^prosaas_whatsapp_standing_by\S* (\d)$/m.exec(await metrics.registry.metrics())?.[1];

beforeEach(() => {
  lines = [];
  metrics = createMetrics("whatsapp-shard");
  stop = new AbortController();
  const logger = createLogger("test", "info", { write: (line) => void lines.push(line) });
  standby = new Standby({ logger, metrics, signal: stop.signal, pollMs: 1 });
});

describe("a standby", () => {
  test("returns at once without an obstacle", async () => {
    await standby.until(() => Promise.resolve(undefined));
    expect([standby.reason, await gauge(), lines]).toEqual([undefined, "0", []]);
  });

  test("logs an obstacle once and waits", async () => {
    const answers = ["owned", "owned", new Error("away"), "owned", undefined];
    let seen: string | undefined;
    await standby.until(async () => {
      const answer = answers.shift();
      if (answer instanceof Error) {
        seen = await gauge();
        throw answer;
      }
      return answer;
    });
    expect(seen).toBe("1");
    expect(lines.map((line) => (JSON.parse(line) as { alarm?: true }).alarm)).toEqual([true, undefined]);
    expect(standby.reason).toBeUndefined();
  });

  test("goes on if its first check fails", async () => {
    await standby.until(() => Promise.reject(new Error("away")));
    expect(lines).toEqual([]);
  });

  test("ends with the process", async () => {
    const waiting = standby.until(() => Promise.resolve("owned"));
    stop.abort(new Error("stopping"));
    await expect(waiting).rejects.toThrow("stopping");
  });
});
