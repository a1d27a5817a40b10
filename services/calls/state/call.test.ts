import { describe, expect, test } from "bun:test";
import { carrierStatuses } from "../twilio/forms.ts";
import { callSchema, isFinal, isLater } from "./call.ts";
import { newCall } from "../testing/call.ts";

describe("isLater", () => {
  test("accepts only later statuses", () => {
    expect(isLater("ringing", "in-progress")).toBeTrue();
    expect(isLater("in-progress", "ringing")).toBeFalse();
    expect(isLater("ringing", "ringing")).toBeFalse();
    for (const final of carrierStatuses.filter(isFinal)) {
      expect(carrierStatuses.filter((next) => isLater(final, next))).toEqual([]);
    }
    expect(carrierStatuses.filter(isFinal)).toEqual(["completed", "busy", "no-answer", "failed", "canceled"]);
  });
});

describe("callSchema", () => {
  test("parses a hash of an older version", () => {
    const { agent_state: _, exit: __, ...older } = newCall();
    const hash = Object.fromEntries(
      Object.entries({ version: 1, ...older }).map(([field, value]) => [field, value === null ? "" : String(value)]),
    );
    expect(callSchema.parse(hash)).toMatchObject({ agent_state: null, exit: null, call_sid: older.call_sid });
  });
});
