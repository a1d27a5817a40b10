import { describe, expect, test } from "bun:test";
import { CpuRates } from "./cpu_rates.ts";
import { pressuresOf } from "./pressure.ts";
import { oldestOf, readingOf } from "./readings.ts";
import type { Reading } from "./readings.ts";

const none = { oldest_job_seconds: undefined, cpu: undefined, streams: undefined };
const unknown = { oldestSeconds: undefined, cores: [], streams: [] };

describe("pressure", () => {
  const waitOf = (oldestSeconds?: number) =>
    pressuresOf({ targets: { ...none, oldest_job_seconds: 10 } }, 4, { ...unknown, oldestSeconds })[0];
  const cpuOf = (...cores: (number | undefined)[]) =>
    pressuresOf({ targets: { ...none, cpu: 0.5 } }, cores.length, { ...unknown, cores })[0];

  test("of a wait doubles the count at most", () => {
    expect(waitOf(15)).toMatchObject({ load: 1.5, needed: 6, isCalm: false });
    expect(waitOf(900)).toMatchObject({ needed: 8 });
    expect(waitOf(9)).toMatchObject({ needed: 4, isCalm: false });
    expect(waitOf(2.5)).toMatchObject({ isCalm: true });
  });

  test("of a shared load is the mean", () => {
    expect(cpuOf(0.9, 0.7)).toMatchObject({ load: 1.6, needed: 4 });
    // A replica that was just started is not known yet.
    expect(cpuOf(0.9, undefined)).toMatchObject({ load: 1.8, needed: 2 });
  });

  test("is calm if one fewer keeps a reserve", () => {
    expect(cpuOf(0.2, 0.17)?.isCalm).toBeTrue();
    expect(cpuOf(0.2, 0.18)?.isCalm).toBeFalse();
    expect(cpuOf(0)?.isCalm).toBeFalse();
  });

  test("is absent without a reading or a target", () => {
    expect(waitOf()).toBeUndefined();
    expect(cpuOf(undefined)).toBeUndefined();
    expect(pressuresOf({ targets: none }, 1, { oldestSeconds: 9, cores: [1], streams: [9] })).toEqual([]);
  });
});

describe("readings", () => {
  test("take the metrics that decide from the text format", () => {
    const text = [
      "# HELP prosaas_queue_oldest_seconds Age of the oldest waiting job.",
      'process_cpu_user_seconds_total{service="x"} 1.5',
      'process_cpu_system_seconds_total{service="x y"} 0.25',
      'prosaas_queue_oldest_seconds{queue="high"} 0.5',
      'prosaas_queue_oldest_seconds{queue="default"} 2.5',
      "prosaas_calls_streams 7",
      "prosaas_calls_streams_total 900",
    ].join("\n");
    expect(readingOf("http://a:1", 3, text)).toEqual({
      address: "http://a:1",
      at: 3,
      cpuSeconds: 1.75,
      oldestSeconds: new Map([
        ["high", 0.5],
        ["default", 2.5],
      ]),
      streams: 7,
    });
    expect(readingOf("http://a:1", 3, "")).toEqual({
      address: "http://a:1",
      at: 3,
      cpuSeconds: undefined,
      oldestSeconds: new Map(),
      streams: undefined,
    });
  });

  test("know the longest wait in a group's queues", () => {
    const one = (queue: string, seconds: number) =>
      readingOf("http://a:1", 0, `prosaas_queue_oldest_seconds{queue="${queue}"} ${seconds}`);
    const readings = [one("high", 1), one("high", 3), one("low", 9)];
    expect(oldestOf(readings, ["high", "default"])).toBe(3);
    expect(oldestOf(readings, ["default"])).toBeUndefined();
  });
});

describe("processor time", () => {
  const cpu = (at: number, cpuSeconds: number, address = "http://a:1"): Reading => ({
    address,
    at,
    cpuSeconds,
    oldestSeconds: new Map(),
    streams: undefined,
  });

  test("is a rate over the last half minute", () => {
    const rates = new CpuRates();
    expect(rates.observe([cpu(0, 5)])).toEqual([undefined]);
    expect(rates.observe([cpu(10, 10)])).toEqual([0.5]);
    expect(rates.observe([cpu(30, 10)])).toEqual([5 / 30]);
    expect(rates.observe([cpu(40, 10), cpu(40, 1, "http://b:1")])).toEqual([0, undefined]);
  });

  test("starts again with a new process", () => {
    const rates = new CpuRates();
    rates.observe([cpu(0, 50)]);
    expect(rates.observe([cpu(10, 1)])).toEqual([undefined]);
    expect(rates.observe([cpu(20, 3)])).toEqual([0.2]);
    rates.keepOnly(new Set());
    expect(rates.observe([cpu(30, 4)])).toEqual([undefined]);
  });
});
