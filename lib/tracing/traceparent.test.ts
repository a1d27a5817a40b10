import { describe, expect, test } from "bun:test";
import { parseTraceparent, sampledTraceparent } from "./traceparent.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

describe("parseTraceparent", () => {
  test("reads ids and the sampled flag", () => {
    expect(parseTraceparent(sampledTraceparent(traceId, spanId))).toEqual({ traceId, spanId, sampled: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)?.sampled).toBeFalse();
    // Flags of later levels, such as "random", change nothing.
    expect(parseTraceparent(`00-${traceId}-${spanId}-03`)?.sampled).toBeTrue();
    expect(parseTraceparent(`00-${traceId}-${spanId}-02`)?.sampled).toBeFalse();
  });

  test("accepts more fields of a later version only", () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`)?.traceId).toBe(traceId);
    expect(parseTraceparent(`00-${traceId}-${spanId}-01-what-comes`)).toBeUndefined();
  });

  test.each([
    undefined,
    null,
    "",
    "00",
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01\n`,
  ])("ignores %j", (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});
