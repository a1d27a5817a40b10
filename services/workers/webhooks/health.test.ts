import { describe, expect, test } from "bun:test";
import type { WebhookHealth } from "../../../lib/db/index.ts";
import { afterAttempt, healthPolicy, healthy, isFailing } from "./health.ts";

const minute = 60_000;
const fail = { ok: false, gone: false, error: "It answered 500." };
const succeed = { ok: true, gone: false, error: null };

/** An endpoint that fails whenever it is asked, from 0 on; each time it was asked, and how it fared then. */
function failFor(ms: number): { at: number; health: WebhookHealth }[] {
  const asked: { at: number; health: WebhookHealth }[] = [];
  let health = healthy;
  for (let at = 0; at < ms; at = health.next_attempt_at?.getTime() ?? at + 10_000) {
    health = afterAttempt(health, fail, new Date(at), healthPolicy);
    asked.push({ at, health });
  }
  return asked;
}

describe("afterAttempt", () => {
  test("tolerates a few failures among successes", () => {
    let health = healthy;
    for (let n = 0; n < 100; n++) {
      health = afterAttempt(health, n % 5 === 4 ? succeed : fail, new Date(n), healthPolicy);
      expect(health.next_attempt_at).toBeNull();
      expect(isFailing(health, healthPolicy)).toBeFalse();
    }
  });

  test("backs off up to a quarter of an hour", () => {
    const asked = failFor(24 * 60 * minute);
    const waits = asked.slice(1).map(({ at }, i) => at - asked[i]!.at);
    expect(Math.max(...waits)).toBe(15 * minute);
    // Ten seconds an attempt: less than two per cent of a day.
    expect(asked.length).toBeLessThan(120);
  });

  test("pauses after ten minutes, with the reason", () => {
    const asked = failFor(60 * minute);
    for (const { at, health } of asked) expect(health.status, `${at}`).toBe(at >= 10 * minute ? "paused" : "active");
    expect(asked.at(-1)!.health.status_reason).toBe("It answered 500.");
  });

  test("recovers after one success", () => {
    const paused = failFor(60 * minute).at(-1)!.health;
    expect(afterAttempt(paused, succeed, new Date(), healthPolicy)).toEqual(healthy);
  });

  test("disables after a 410", () => {
    expect(
      afterAttempt(healthy, { ok: false, gone: true, error: "It answered 410." }, new Date(), healthPolicy),
    ).toMatchObject({
      status: "disabled",
      status_reason: expect.stringContaining("410"),
    });
  });
});
