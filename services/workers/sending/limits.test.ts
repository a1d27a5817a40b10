import { describe, expect, test } from "bun:test";
import { limitIn } from "./limits.ts";

const now = Date.UTC(2026, 0, 1);
const after = (minutes: number) => new Date(now + minutes * 60_000);
const held = (minutes: number) => ({ id: "a", status: "held", until: after(minutes) }) as const;
const paced = (minutes: number) => ({ id: "b", status: "paced", next_attempt_at: after(minutes) }) as const;

describe("limitIn", () => {
  test("ignores waits of minutes", () => {
    expect(limitIn([held(1), paced(5)], now)).toBeUndefined();
    expect(limitIn([paced(60)], now)).toEqual({ holds: "first_contacts", until: after(60) });
    expect(limitIn([{ id: "c", status: "sent", at: after(0) }], now)).toBeUndefined();
  });

  test("prefers the limit that holds everything", () => {
    expect(limitIn([paced(600), held(15)], now)).toEqual({ holds: "everything", until: after(15) });
  });
});
