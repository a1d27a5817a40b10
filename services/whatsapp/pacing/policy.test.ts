import { describe, expect, test } from "bun:test";
import { limitsOf, parsePlatformPacing } from "../../../lib/contracts/shard/pacing.ts";
import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";
import { admit, afterRefusal, newPace, withoutWaits, warmthOf } from "./policy.ts";
import type { AccountPace } from "./policy.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const warm: PacingLimits = { ...limitsOf(null, true), warm_up_days: 0 };

/** Sends messages as early as allowed for a period. Returns the times of the sends. */
function sendFor(
  ms: number,
  limits: PacingLimits,
  options: { firstContact?: boolean; bulk?: boolean; chance?: () => number; pace?: AccountPace } = {},
) {
  const { firstContact = false, bulk = true, chance = () => 0.5 } = options;
  let pace = options.pace ?? newPace(0);
  const times: number[] = [];
  let drawn = chance();
  for (let now = 0; now < ms;) {
    const admission = admit(pace, limits, { now, firstContact, bulk, chance: drawn });
    if (admission.admitted) {
      times.push(now);
      ({ pace } = admission);
      drawn = chance();
    } else {
      now = admission.notBefore;
    }
  }
  return times;
}

const gaps = (times: number[]) => times.slice(1).map((time, i) => time - times[i]!);

describe("the pace of an account", () => {
  test("spreads messages evenly over the minute", () => {
    const times = sendFor(10 * minute, warm);
    expect(times).toHaveLength(200);
    expect(new Set(gaps(times))).toEqual(new Set([3_000]));
  });

  test("varies gaps within the jitter, keeps the rate", () => {
    let turn = 0;
    const chances = [0, 1, 0.25, 0.75];
    const times = sendFor(10 * minute, warm, { chance: () => chances[turn++ % chances.length]! });
    expect(Math.min(...gaps(times))).toBe(2_100);
    expect(Math.max(...gaps(times))).toBe(3_900);
    expect(Math.abs(times.length - 200)).toBeLessThanOrEqual(2);
  });

  test("warms up from a tenth to all", () => {
    const limits = { ...warm, warm_up_days: 10 };
    const warmth = (age: number) => warmthOf(newPace(0), limits, age);
    expect([warmth(0), warmth(5 * day), warmth(10 * day), warmth(100 * day)]).toEqual([0.1, 0.55, 1, 1]);
    expect([20, 21]).toContain(sendFor(10 * minute, limits).length);
    expect(sendFor(10 * minute, limits, { pace: { ...newPace(0), since: -20 * day } })).toHaveLength(200);
  });

  test("starts chats more slowly than it sends replies", () => {
    expect(sendFor(10 * minute, warm, { firstContact: true })).toHaveLength(20);
    const first = admit(newPace(0), warm, { now: 0, firstContact: true, bulk: true, chance: 0.5 });
    if (!first.admitted) throw new Error("the first message must be admitted");
    const at = (now: number, firstContact: boolean) =>
      admit(first.pace, warm, { now, firstContact, bulk: true, chance: 0.5 });
    expect(at(1_000, true)).toEqual({ admitted: false, notBefore: 3_000, holds: "everything" });
    expect(at(3_000, true)).toEqual({ admitted: false, notBefore: 30_000, holds: "first_contacts" });
    expect(at(3_000, false).admitted).toBeTrue();
  });

  test("caps new chats per 24 h, at least one", () => {
    const limits = { ...warm, first_contacts_per_day: 5, first_contact_gap_s: 1 };
    const times = sendFor(2 * day, limits, { firstContact: true, bulk: false });
    expect(times.filter((time) => time < day)).toHaveLength(5);
    expect(times.slice(5)[0]).toBe(day);
    expect(sendFor(day, { ...limits, warm_up_days: 10 }, { firstContact: true, bulk: false })).toHaveLength(1);
    expect(sendFor(day, { ...limits, first_contacts_per_day: 0 }, { firstContact: true })).toHaveLength(0);
  });
});
describe("a burst", () => {
  test("sends urgent messages during a broadcast", () => {
    for (const firstContact of [false, true]) {
      const gap = firstContact ? 30_000 : 3_000;
      let pace = newPace(0);
      const send = (now: number, bulk: boolean) => {
        const admission = admit(pace, warm, { now, firstContact, bulk, chance: 0.5 });
        if (admission.admitted) ({ pace } = admission);
        return admission.admitted;
      };
      for (let n = 0; n < 10; n++) expect(send(n * gap, true)).toBeTrue();
      const now = 9 * gap + 1;
      const urgent = Array.from({ length: 10 }, () => send(now, false)).filter(Boolean).length;
      expect(urgent).toBeGreaterThanOrEqual(warm.burst - 1);
      expect(urgent).toBeLessThanOrEqual(warm.burst + 1);
      // The broadcast compensates for each of them.
      expect(send((9 + urgent) * gap, true)).toBeFalse();
      expect(send((10 + urgent) * gap, true)).toBeTrue();
    }
  });

  test("is available at rest, whatever the jitter", () => {
    for (const chance of [0, 0.5, 1]) {
      const times = sendFor(10 * minute, { ...warm, burst: 3 }, { bulk: false, chance: () => chance });
      expect(times.filter((time) => time === 0).length).toBeGreaterThanOrEqual(3);
      expect(times.length / (10 * (20 / (1 + warm.jitter * (2 * chance - 1))))).toBeCloseTo(1, 1);
    }
  });

  test("may use the new chats that broadcasts leave", () => {
    const limits = { ...warm, first_contacts_per_day: 10, first_contact_gap_s: 1 };
    let pace = newPace(0);
    const begin = (now: number, bulk: boolean) => {
      const admission = admit(pace, limits, { now, firstContact: true, bulk, chance: 0.5 });
      if (admission.admitted) ({ pace } = admission);
      return admission.admitted;
    };
    const begun = (bulk: boolean) =>
      Array.from({ length: 20 }, (_, n) => begin(n * minute, bulk)).filter(Boolean).length;
    expect(begun(true)).toBe(8);
    expect(begun(false)).toBe(2);
    expect(begin(day, true)).toBeTrue();
    // Of one new chat, as on the first day of ten, a broadcast gets none.
    pace = newPace(0);
    const young = { ...limits, warm_up_days: 10 };
    expect(admit(pace, young, { now: 0, firstContact: true, bulk: true, chance: 0.5 })).toMatchObject({
      admitted: false,
      notBefore: day,
    });
    expect(admit(pace, young, { now: 0, firstContact: true, bulk: false, chance: 0.5 }).admitted).toBeTrue();
  });
});
describe("a stop", () => {
  test("of new chats follows 463, of everything 429", () => {
    const now = 1_000;
    const restricted = afterRefusal(newPace(0), "463", now)!;
    const ask = (pace: AccountPace, firstContact: boolean) =>
      admit(pace, warm, { now, firstContact, bulk: true, chance: 0.5 });
    expect(ask(restricted.pace, true)).toEqual({ admitted: false, notBefore: now + hour, holds: "first_contacts" });
    expect(ask(restricted.pace, false).admitted).toBeTrue();
    const limited = afterRefusal(newPace(0), "429", now)!;
    expect(ask(limited.pace, false)).toEqual({ admitted: false, notBefore: now + 15 * minute, holds: "everything" });
    expect(afterRefusal(newPace(0), "479", now)).toBeUndefined();
  });

  test("doubles within a day, and resets after one", () => {
    let pace = newPace(0);
    let now = 0;
    const lasts = () => {
      const after = afterRefusal(pace, "463", now)!;
      ({ pace } = after);
      const length = after.until - now;
      now = after.until;
      return length / hour;
    };
    expect([lasts(), lasts(), lasts(), lasts(), lasts(), lasts()]).toEqual([1, 2, 4, 8, 16, 24]);
    now += day;
    expect(lasts()).toBe(1);
  });

  test("is not extended by refusals of messages in flight", () => {
    const first = afterRefusal(newPace(0), "429", 0)!;
    expect(afterRefusal(first.pace, "429", 5_000)?.pace).toBe(first.pace);
  });

  test("does not end with changed limits", () => {
    const slow = admit(
      newPace(0),
      { ...warm, messages_per_minute: 1 },
      { now: 0, firstContact: false, bulk: true, chance: 0.5 },
    );
    if (!slow.admitted) throw new Error("the first message must be admitted");
    const ask = (pace: AccountPace) =>
      admit(pace, warm, { now: 1_000, firstContact: false, bulk: true, chance: 0.5 }).admitted;
    expect(ask(slow.pace)).toBeFalse();
    expect(ask(withoutWaits(slow.pace, 1_000))).toBeTrue();
    expect(ask(withoutWaits(afterRefusal(slow.pace, "429", 500)!.pace, 1_000))).toBeFalse();
  });
});
describe("pacing limits", () => {
  test("prefer the business's, then the platform's settings", () => {
    const platform = { messages_per_minute: 40, warm_up_days: 3 };
    expect(limitsOf({ messages_per_minute: 5 }, true, platform)).toMatchObject({
      messages_per_minute: 5,
      warm_up_days: 3,
      enabled: true,
    });
    expect(limitsOf(null, true, { enabled: false })).toMatchObject({
      enabled: false,
      messages_per_minute: limitsOf(null, true).messages_per_minute,
    });
  });

  test("ignore invalid platform settings", () => {
    expect(parsePlatformPacing('{"messages_per_minute": 40}')).toEqual({ messages_per_minute: 40 });
    for (const bad of ["", "40", "[]", '{"messages_per_minute": 0}', '{"messages_a_minute": 40}'])
      expect(parsePlatformPacing(bad)).toBeNull();
  });
});
