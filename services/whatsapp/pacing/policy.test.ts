import { expect, test } from "bun:test";
import { limitsOf, parsePlatformPacing } from "../../../lib/contracts/shard/pacing.ts";
import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";
import { admit, afterRefusal, newPace, relieved, warmthOf } from "./policy.ts";
import type { AccountPace } from "./policy.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const warm: PacingLimits = { ...limitsOf(null, true), warm_up_days: 0 };

/** Sends whatever may go, as soon as it may, for so long; the times at which something went. */
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

test("a warm account sends its messages per minute, evenly", () => {
  const times = sendFor(10 * minute, warm);
  expect(times).toHaveLength(200);
  expect(new Set(gaps(times))).toEqual(new Set([3_000]));
});

test("the gaps vary within the jitter, and the rate stays", () => {
  let turn = 0;
  const chances = [0, 1, 0.25, 0.75];
  const times = sendFor(10 * minute, warm, { chance: () => chances[turn++ % chances.length]! });
  expect(Math.min(...gaps(times))).toBe(2_100);
  expect(Math.max(...gaps(times))).toBe(3_900);
  expect(Math.abs(times.length - 200)).toBeLessThanOrEqual(2);
});

test("an account warms up from a tenth of its limits to all of them", () => {
  const limits = { ...warm, warm_up_days: 10 };
  const warmth = (age: number) => warmthOf(newPace(0), limits, age);
  expect([warmth(0), warmth(5 * day), warmth(10 * day), warmth(100 * day)]).toEqual([0.1, 0.55, 1, 1]);
  expect([20, 21]).toContain(sendFor(10 * minute, limits).length);
  expect(sendFor(10 * minute, limits, { pace: { ...newPace(0), since: -20 * day } })).toHaveLength(200);
});

test("chats are begun farther apart than messages follow each other, and an answer goes between them", () => {
  expect(sendFor(10 * minute, warm, { firstContact: true })).toHaveLength(20);
  const first = admit(newPace(0), warm, { now: 0, firstContact: true, bulk: true, chance: 0.5 });
  if (!first.admitted) throw new Error("the first one must go");
  const at = (now: number, firstContact: boolean) =>
    admit(first.pace, warm, { now, firstContact, bulk: true, chance: 0.5 });
  expect(at(1_000, true)).toEqual({ admitted: false, notBefore: 3_000, holds: "everything" });
  expect(at(3_000, true)).toEqual({ admitted: false, notBefore: 30_000, holds: "first_contacts" });
  expect(at(3_000, false).admitted).toBeTrue();
});

test("no more chats are begun within 24 hours than allowed, and one while any is", () => {
  const limits = { ...warm, first_contacts_per_day: 5, first_contact_gap_s: 1 };
  const times = sendFor(2 * day, limits, { firstContact: true, bulk: false });
  expect(times.filter((time) => time < day)).toHaveLength(5);
  expect(times.slice(5)[0]).toBe(day);
  expect(sendFor(day, { ...limits, warm_up_days: 10 }, { firstContact: true, bulk: false })).toHaveLength(1);
  expect(sendFor(day, { ...limits, first_contacts_per_day: 0 }, { firstContact: true })).toHaveLength(0);
});

test("what is urgent goes at once, a burst of it, while a broadcast keeps the account at its pace; the rate stays", () => {
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
    // The broadcast makes up for each of them.
    expect(send((9 + urgent) * gap, true)).toBeFalse();
    expect(send((10 + urgent) * gap, true)).toBeTrue();
  }
});

test("a burst can be had from an account at rest whatever the jitter, and what is urgent is held to the pace after it", () => {
  for (const chance of [0, 0.5, 1]) {
    const times = sendFor(10 * minute, { ...warm, burst: 3 }, { bulk: false, chance: () => chance });
    expect(times.filter((time) => time === 0).length).toBeGreaterThanOrEqual(3);
    expect(times.length / (10 * (20 / (1 + warm.jitter * (2 * chance - 1))))).toBeCloseTo(1, 1);
  }
});

test("a broadcast leaves a part of the day's new chats to what is urgent", () => {
  const limits = { ...warm, first_contacts_per_day: 10, first_contact_gap_s: 1 };
  let pace = newPace(0);
  const begin = (now: number, bulk: boolean) => {
    const admission = admit(pace, limits, { now, firstContact: true, bulk, chance: 0.5 });
    if (admission.admitted) ({ pace } = admission);
    return admission.admitted;
  };
  const begun = (bulk: boolean) => Array.from({ length: 20 }, (_, n) => begin(n * minute, bulk)).filter(Boolean).length;
  expect(begun(true)).toBe(8);
  expect(begun(false)).toBe(2);
  expect(begin(day, true)).toBeTrue();
  // Of one, as on the first day of ten, nothing is left for it.
  pace = newPace(0);
  const young = { ...limits, warm_up_days: 10 };
  expect(admit(pace, young, { now: 0, firstContact: true, bulk: true, chance: 0.5 })).toMatchObject({
    admitted: false,
    notBefore: day,
  });
  expect(admit(pace, young, { now: 0, firstContact: true, bulk: false, chance: 0.5 }).admitted).toBeTrue();
});

test("463 stops new chats and 429 everything; what has nothing to do with pace stops nothing", () => {
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

test("a stop that comes again soon lasts twice as long, a day at most; after a quiet day it begins anew", () => {
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

test("refusals of what was on its way already are the same stop", () => {
  const first = afterRefusal(newPace(0), "429", 0)!;
  expect(afterRefusal(first.pace, "429", 5_000)?.pace).toBe(first.pace);
});

test("changed limits count at once; a stop does not end by them", () => {
  const slow = admit(
    newPace(0),
    { ...warm, messages_per_minute: 1 },
    { now: 0, firstContact: false, bulk: true, chance: 0.5 },
  );
  if (!slow.admitted) throw new Error("the first one must go");
  const ask = (pace: AccountPace) =>
    admit(pace, warm, { now: 1_000, firstContact: false, bulk: true, chance: 0.5 }).admitted;
  expect(ask(slow.pace)).toBeFalse();
  expect(ask(relieved(slow.pace, 1_000))).toBeTrue();
  expect(ask(relieved(afterRefusal(slow.pace, "429", 500)!.pace, 1_000))).toBeFalse();
});

test("what a business chose counts before the platform's settings, and those before the defaults", () => {
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

test("the platform's settings are read only where they make sense", () => {
  expect(parsePlatformPacing('{"messages_per_minute": 40}')).toEqual({ messages_per_minute: 40 });
  for (const bad of ["", "40", "[]", '{"messages_per_minute": 0}', '{"messages_a_minute": 40}'])
    expect(parsePlatformPacing(bad)).toBeNull();
});
