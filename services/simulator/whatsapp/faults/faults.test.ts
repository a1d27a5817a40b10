import { expect, test } from "bun:test";
import type { Fault } from "./faults.ts";
import { Faults, faultSchema } from "./faults.ts";

const fault = (input: unknown): Fault => faultSchema.parse(input);

test("a fault with times strikes so often and is gone", () => {
  const faults = new Faults();
  faults.add(fault({ kind: "ack_lost", times: 2 }));
  expect([1, 2, 3].map(() => faults.strike("ack_lost") !== undefined)).toEqual([true, true, false]);
  expect(faults.list()).toEqual([]);
});

test("a fault for one phone leaves the others alone", () => {
  const faults = new Faults();
  faults.add(fault({ kind: "ack_delay", ms: 5, phone: "491700000001" }));
  expect(faults.strike("ack_delay", "491700000002")).toBeUndefined();
  expect(faults.strike("ack_delay", "491700000002", "491700000001")?.ms).toBe(5);
});

test("a fault without times lasts until all are deleted", () => {
  const faults = new Faults();
  faults.add(fault({ kind: "ticks", mode: "none" }));
  for (let strike = 0; strike < 100; strike++) expect(faults.strike("ticks")?.mode).toBe("none");
  faults.clear();
  expect(faults.strike("ticks")).toBeUndefined();
});

test.each([
  [{ kind: "earthquake" }],
  [{ kind: "ack_delay" }],
  [{ kind: "ack_refuse", code: 200 }],
  [{ kind: "drop", phone: "+49 170" }],
  [{ kind: "drop", times: 0 }],
  [{ kind: "replaced", unknown: true }],
])("%j is no fault", (input) => {
  expect(faultSchema.safeParse(input).success).toBe(false);
});
