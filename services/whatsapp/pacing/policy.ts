import { z } from "zod";
import { standing } from "./standing.ts";
import type { Standing } from "./standing.ts";
import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";

/*
 * The pacing of an account. Pure: times and random numbers come in, decisions and the next state go out. All times are
 * Unix ms.
 */

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The share of its limits with which an account starts. */
const coldest = 0.1;

/** The share of a day's new chats that broadcasts may use; the rest is reserved for urgent messages. */
const bulkShare = 0.8;

const stop = z.object({ code: z.string(), since: z.number(), until: z.number(), times: z.int().min(1) });

/** The stored pace of an account. */
export const accountPace = z.object({
  /** The first send: the warm-up counts from here. */
  since: z.number(),
  /** The earliest time of a broadcast message. Other messages may precede it by a burst. */
  nextAt: z.number(),
  /** The earliest time at which a broadcast may start a chat. Other messages may precede it by a burst. */
  nextFirstContactAt: z.number(),
  /** The chats started in the 24 hours from `start`. */
  day: z.object({ start: z.number(), firstContacts: z.int().min(0) }),
  /** Set after WhatsApp's refusals: nothing may be sent, or no chat started. */
  stops: z.object({ everything: stop.optional(), first_contacts: stop.optional() }),
  /** WhatsApp's own restrictions, once they were read. Chats started since then are counted as used. */
  standing: standing.optional(),
});
export type AccountPace = z.infer<typeof accountPace>;
export type Held = keyof AccountPace["stops"];

export const newPace = (now: number): AccountPace => ({
  since: now,
  nextAt: 0,
  nextFirstContactAt: 0,
  day: { start: now, firstContacts: 0 },
  stops: {},
});

/** True if a message may be sent now. `holds`: what else waits until `notBefore`, everything or only new chats. */
export type Admission = { admitted: true; pace: AccountPace } | { admitted: false; notBefore: number; holds: Held };

/** A delay that pacing requires. `holds`: what waits with the message, everything of the account or only new chats. */
export type PacingDelay = { notBefore: number; holds: Held };

/** A message that asks to be sent now. */
export type Candidate = {
  now: number;
  /** True if the message starts a chat. */
  firstContact: boolean;
  /** True if it belongs to a broadcast and yields to urgent messages. */
  bulk: boolean;
  /** From 0 to 1. */
  chance: number;
};

/** The share of its limits that an account may use, from a tenth to 1: linear over the days of its warm-up. */
export function warmthOf({ since }: AccountPace, { warm_up_days }: PacingLimits, now: number): number {
  if (warm_up_days === 0) return 1;
  const age = Math.max(0, now - since) / (warm_up_days * dayMs);
  return Math.min(1, coldest + (1 - coldest) * age);
}

/*
 * Each pace is a generic cell rate algorithm (ITU-T I.371): every message moves the scheduled time of the next one by a
 * gap. A broadcast keeps to the schedule. An urgent message may precede it by a burst and moves it all the same: it is
 * sent at once while a broadcast runs, and the broadcast compensates for it.
 */
export function admit(
  pace: AccountPace,
  limits: PacingLimits,
  { now, firstContact, bulk, chance }: Candidate,
): Admission {
  const everything = earliest(pace, limits, { now, bulk });
  if (everything > now) return { admitted: false, notBefore: everything, holds: "everything" };
  if (firstContact) {
    const notBefore = earliestFirstContact(pace, limits, { now, bulk });
    if (notBefore > now) return { admitted: false, notBefore, holds: "first_contacts" };
  }

  const day = dayOf(pace, now);
  const { messageMs, firstContactMs } = gapsOf(pace, limits, now);
  const varied = 1 + limits.jitter * (2 * chance - 1);
  return {
    admitted: true,
    pace: {
      ...pace,
      nextAt: Math.max(now, pace.nextAt) + messageMs * varied,
      nextFirstContactAt: firstContact
        ? Math.max(now, pace.nextFirstContactAt) + firstContactMs * varied
        : pace.nextFirstContactAt,
      day: firstContact ? { ...day, firstContacts: day.firstContacts + 1 } : day,
      ...(firstContact && pace.standing?.newChats
        ? { standing: { ...pace.standing, newChats: withOneMore(pace.standing.newChats) } }
        : {}),
    },
  };
}

const withOneMore = (chats: NonNullable<Standing["newChats"]>) => ({ ...chats, used: chats.used + 1 });

/** The earliest time at which WhatsApp lets the account start a chat. Broadcasts leave a share to urgent messages. */
function earliestAllowed({ standing: known }: AccountPace, { now, bulk }: Pick<Candidate, "now" | "bulk">): number {
  if (known === undefined) return 0;
  const { lockedUntil, newChats } = known;
  const most = newChats === null ? 0 : bulk ? Math.floor(newChats.total * bulkShare) : newChats.total;
  const cappedUntil = newChats !== null && newChats.until > now && newChats.used >= most ? newChats.until : 0;
  return Math.max(lockedUntil ?? 0, cappedUntil);
}

/** The earliest time of a message that starts no chat. */
export function earliest(
  pace: AccountPace,
  limits: PacingLimits,
  { now, bulk }: Pick<Candidate, "now" | "bulk">,
): number {
  const { messageMs } = gapsOf(pace, limits, now);
  return Math.max(pace.nextAt - aheadOf(messageMs, limits, bulk), pace.stops.everything?.until ?? 0);
}

/** The earliest time at which a chat may be started, as far as the limits of new chats are concerned. */
export function earliestFirstContact(
  pace: AccountPace,
  limits: PacingLimits,
  { now, bulk }: Pick<Candidate, "now" | "bulk">,
): number {
  const day = dayOf(pace, now);
  const { firstContactMs } = gapsOf(pace, limits, now);
  const whole = limits.first_contacts_per_day * warmthOf(pace, limits, now);
  // At least one new chat a day is allowed if the limit allows any: a tenth of a few would be none. Broadcasts do not
  // get it.
  const most = Math.max(Math.min(1, limits.first_contacts_per_day), Math.floor(whole));
  const ofTheDay = bulk ? Math.min(most - 1, Math.floor(whole * bulkShare)) : most;
  return Math.max(
    pace.nextFirstContactAt - aheadOf(firstContactMs, limits, bulk),
    pace.stops.first_contacts?.until ?? 0,
    earliestAllowed(pace, { now, bulk }),
    day.firstContacts >= ofTheDay ? day.start + dayMs : 0,
  );
}

/** The mean gaps between messages, and between new chats, at the account's present warmth. */
function gapsOf(pace: AccountPace, limits: PacingLimits, now: number): { messageMs: number; firstContactMs: number } {
  const warmth = warmthOf(pace, limits, now);
  return {
    messageMs: minuteMs / limits.messages_per_minute / warmth,
    firstContactMs: (limits.first_contact_gap_s * 1000) / warmth,
  };
}

/** How far a message may precede its scheduled time: the size of a burst, whatever the jitter. */
function aheadOf(gapMs: number, { burst, jitter }: PacingLimits, bulk: boolean): number {
  return bulk ? 0 : (burst - 1) * gapMs * (1 + jitter);
}

/**
 * Discards times that lie farther ahead than any pace leads: the clock was ahead and was corrected, or was another
 * shard's. Such a wait would be as long as the clock was wrong.
 */
export function withoutFutureTimes(pace: AccountPace, limits: PacingLimits, now: number): AccountPace {
  const { messageMs, firstContactMs } = gapsOf(pace, limits, now);
  const orNow = (at: number, gapMs: number) => (at > now + (limits.burst + 1) * gapMs * (1 + limits.jitter) ? now : at);
  const nextAt = orNow(pace.nextAt, messageMs);
  const nextFirstContactAt = orNow(pace.nextFirstContactAt, firstContactMs);
  return { ...pace, nextAt, nextFirstContactAt, day: pace.day.start > now ? { ...pace.day, start: now } : pace.day };
}

/** Changed limits apply at once: waits under the old limits are dropped. */
export function withoutWaits(pace: AccountPace, now: number): AccountPace {
  return { ...pace, nextAt: Math.min(pace.nextAt, now), nextFirstContactAt: Math.min(pace.nextFirstContactAt, now) };
}

export function dayOf({ day }: AccountPace, now: number): AccountPace["day"] {
  return now >= day.start + dayMs ? { start: now, firstContacts: 0 } : day;
}

/**
 * The effect of WhatsApp's refusals. 463: the account may not start chats for now; 429: too many messages. Continuing
 * would turn a restriction into a ban.
 */
const meaning: Record<string, { holds: Held; firstMs: number } | undefined> = {
  "463": { holds: "first_contacts", firstMs: 60 * minuteMs },
  "429": { holds: "everything", firstMs: 15 * minuteMs },
};
const longestMs = dayMs;

/**
 * The pace after a refusal; undefined if the refusal does not concern the pace. Each further stop within a day lasts
 * twice as long.
 */
export function afterRefusal(
  pace: AccountPace,
  code: string,
  now: number,
): { pace: AccountPace; holds: Held; until: number } | undefined {
  const known = meaning[code];
  if (known === undefined) return undefined;
  const earlier = pace.stops[known.holds];
  // Messages that were in flight at the first refusal are refused too: they count as the same refusal.
  if (earlier !== undefined && earlier.until > now) return { pace, holds: known.holds, until: earlier.until };
  const times = earlier !== undefined && now < earlier.until + dayMs ? earlier.times + 1 : 1;
  const until = now + Math.min(longestMs, known.firstMs * 2 ** (times - 1));
  return {
    pace: { ...pace, stops: { ...pace.stops, [known.holds]: { code, since: now, until, times } } },
    holds: known.holds,
    until,
  };
}
