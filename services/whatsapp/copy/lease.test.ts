import { describe, expect, test } from "bun:test";
import { Lease, leaseMs, marginMs } from "./lease.ts";

function leaseAt() {
  const at = { now: 0, consul: null as number | null };
  const lease = new Lease(
    () => at.consul,
    () => at.now,
  );
  return { at, lease };
}
const validMs = leaseMs - marginMs;

describe("the lease", () => {
  test("does not hold before Postgres has confirmed it", () => {
    const { at, lease } = leaseAt();
    at.consul = 0;
    expect(lease.leftMs).toBe(Number.NEGATIVE_INFINITY);
  });

  test("is extended by each of both", () => {
    const { at, lease } = leaseAt();
    lease.confirmed(1_000);
    at.now = 2_000;
    expect(lease.leftMs).toBe(validMs - 1_000);
    at.consul = 12_000;
    at.now = 20_000;
    expect(lease.leftMs).toBe(validMs - 8_000);
    lease.confirmed(18_000);
    expect(lease.leftMs).toBe(validMs - 2_000);
    // An answer that was overtaken by a later one.
    lease.confirmed(500);
    expect(lease.leftMs).toBe(validMs - 2_000);
  });

  test("is not extended by a later lock", () => {
    const { at, lease } = leaseAt();
    lease.confirmed(0);
    at.now = 60_000;
    at.consul = 59_000;
    expect(lease.leftMs).toBeLessThan(0);
    // The epoch is still this process's.
    lease.confirmed(60_000);
    expect(lease.leftMs).toBe(validMs);
  });
});
