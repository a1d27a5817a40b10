import { describe, expect, test } from "bun:test";
import { reachedStatuses } from "./status_change.ts";
import type { StatusChange } from "./status_change.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const change = (changes: Partial<StatusChange>): StatusChange => ({
  id: "m",
  business_id: "b",
  chat: "c",
  before: "queued",
  status: "sent",
  sent_at: null,
  delivered_at: null,
  read_at: null,
  played_at: null,
  failed_at: null,
  error_code: null,
  error_message: null,
  ...changes,
});
const names = (changes: Partial<StatusChange>) => reachedStatuses(change(changes)).map(({ status }) => status);

describe("reachedStatuses", () => {
  test("lists each skipped status with its own time", () => {
    const moved = { before: "queued", status: "read", sent_at: at(1), delivered_at: at(2), read_at: at(3) } as const;
    expect(reachedStatuses(change(moved))).toEqual([
      { status: "sent", at: at(1) },
      { status: "delivered", at: at(2) },
      { status: "read", at: at(3) },
    ]);
  });

  test("lists no status twice", () => {
    expect(names({ before: "delivered", status: "read", sent_at: at(1), delivered_at: at(2), read_at: at(3) })).toEqual(
      ["read"],
    );
    expect(names({ before: "read", status: "read", sent_at: at(1), delivered_at: at(2), read_at: at(3) })).toEqual([]);
  });

  test("lists a failure only as the last status", () => {
    expect(names({ before: "queued", status: "failed", failed_at: at(1) })).toEqual(["failed"]);
    expect(names({ before: "queued", status: "failed", sent_at: at(1), failed_at: at(1) })).toEqual(["failed"]);
    expect(
      names({ before: "failed", status: "delivered", sent_at: at(1), delivered_at: at(2), failed_at: at(1) }),
    ).toEqual(["delivered"]);
    expect(
      names({ before: "sent", status: "delivered", sent_at: at(1), delivered_at: at(2), failed_at: at(1) }),
    ).toEqual(["delivered"]);
  });
});
