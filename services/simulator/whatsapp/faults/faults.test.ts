import { describe, expect, test } from "bun:test";
import type { Fault } from "./faults.ts";
import { Faults, faultSchema } from "./faults.ts";

const fault = (input: unknown): Fault => faultSchema.parse(input);

describe("Faults", () => {
  test("removes a fault after `times` strikes", () => {
    const faults = new Faults();
    faults.add(fault({ kind: "ack_lost", times: 2 }));
    expect([1, 2, 3].map(() => faults.strike("ack_lost") !== undefined)).toEqual([true, true, false]);
    expect(faults.list()).toEqual([]);
  });

  test("lets `skip` occasions pass first", () => {
    const faults = new Faults();
    faults.add(fault({ kind: "ack_lost", skip: 2, times: 1 }));
    expect([1, 2, 3, 4].map(() => faults.strike("ack_lost") !== undefined)).toEqual([false, false, true, false]);
  });

  test("strikes only the phone of a fault", () => {
    const faults = new Faults();
    faults.add(fault({ kind: "ack_delay", ms: 5, phone: "491700000001" }));
    expect(faults.strike("ack_delay", "491700000002")).toBeUndefined();
    expect(faults.strike("ack_delay", "491700000002", "491700000001")?.ms).toBe(5);
  });

  test("keeps a fault without `times` until it is cleared", () => {
    const faults = new Faults();
    faults.add(fault({ kind: "ticks", mode: "none" }));
    for (let strike = 0; strike < 100; strike++) expect(faults.strike("ticks")?.mode).toBe("none");
    faults.clear();
    expect(faults.strike("ticks")).toBeUndefined();
  });
});

test.each([
  [{ kind: "earthquake" }],
  [{ kind: "ack_delay" }],
  [{ kind: "ack_refuse", code: 200 }],
  [{ kind: "drop", phone: "+49 170" }],
  [{ kind: "drop", times: 0 }],
  [{ kind: "replaced", unknown: true }],
])("faultSchema refuses %j", (input) => {
  expect(faultSchema.safeParse(input).success).toBe(false);
});
