import { z } from "zod";
import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";

/*
 * How an account is paced. Pure: times and chance come in, decisions and the next state go out. All times are Unix ms.
 */

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The part of its limits that an account begins with. */
const coldest = 0.1;

/** The part of a day's first contacts that broadcasts may take; the rest is kept for what cannot wait. */
const bulkShare = 0.8;

const stop = z.object({ code: z.string(), since: z.number(), until: z.number(), times: z.int().min(1) });

/** What is remembered of an account. */
export const accountPace = z.object({
  /** When it began to send: from here it warms up. */
  since: z.number(),
  /** No message of a broadcast before; any other may go ahead of this by a burst. */
  nextAt: z.number(),
  /** No chat is begun by a broadcast before; any other message may begin one ahead of this by a burst. */
  nextFirstContactAt: z.number(),
  /** The chats begun in the 24 hours from `start`. */
  day: z.object({ start: z.number(), firstContacts: z.int().min(0) }),
  /** After WhatsApp refused: nothing may be sent, or no chat begun. */
  stops: z.object({ everything: stop.optional(), first_contacts: stop.optional() }),
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

/** Whether a message may go now. `holds`: what else cannot go before `notBefore`: nothing at all, or no other first contact. */
export type Admission = { admitted: true; pace: AccountPace } | { admitted: false; notBefore: number; holds: Held };

/** A delay that pacing requires. `holds`: what waits with the message, everything of the account or only new chats. */
export type PacingDelay = { notBefore: number; holds: Held };

/** A message that asks to be sent now. */
export type Candidate = {
  now: number;
  /** Whether the message begins a chat. */
  firstContact: boolean;
  /** Whether it is a broadcast's, and gives way to what is not. */
  bulk: boolean;
  /** From 0 to 1. */
  chance: number;
};

/** How warm an account is, from a tenth to 1: linear over the days of its warm-up. */
export function warmthOf({ since }: AccountPace, { warm_up_days }: PacingLimits, now: number): number {
  if (warm_up_days === 0) return 1;
  const age = Math.max(0, now - since) / (warm_up_days * dayMs);
  return Math.min(1, coldest + (1 - coldest) * age);
}

/*
 * Each pace is a generic cell rate algorithm (ITU-T I.371): every message puts the even time of the next one a gap later.
 * A broadcast keeps to that time. What is urgent may be a burst ahead of it, and puts it later all the same; so it goes
 * at once while a broadcast runs, and the broadcast makes up for it.
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
    },
  };
}

/** When a message may go that begins no chat. */
export function earliest(
  pace: AccountPace,
  limits: PacingLimits,
  { now, bulk }: Pick<Candidate, "now" | "bulk">,
): number {
  const { messageMs } = gapsOf(pace, limits, now);
  return Math.max(pace.nextAt - aheadOf(messageMs, limits, bulk), pace.stops.everything?.until ?? 0);
}

/** When a chat may be begun, as far as chats are concerned. */
export function earliestFirstContact(
  pace: AccountPace,
  limits: PacingLimits,
  { now, bulk }: Pick<Candidate, "now" | "bulk">,
): number {
  const day = dayOf(pace, now);
  const { firstContactMs } = gapsOf(pace, limits, now);
  const whole = limits.first_contacts_per_day * warmthOf(pace, limits, now);
  // The first one of a day is always allowed while any is: a tenth of a few would be none. It is not a broadcast's.
  const most = Math.max(Math.min(1, limits.first_contacts_per_day), Math.floor(whole));
  const ofTheDay = bulk ? Math.min(most - 1, Math.floor(whole * bulkShare)) : most;
  return Math.max(
    pace.nextFirstContactAt - aheadOf(firstContactMs, limits, bulk),
    pace.stops.first_contacts?.until ?? 0,
    day.firstContacts >= ofTheDay ? day.start + dayMs : 0,
  );
}

/** The mean gaps between messages, and between new chats, of an account as warm as this one. */
function gapsOf(pace: AccountPace, limits: PacingLimits, now: number): { messageMs: number; firstContactMs: number } {
  const warmth = warmthOf(pace, limits, now);
  return {
    messageMs: minuteMs / limits.messages_per_minute / warmth,
    firstContactMs: (limits.first_contact_gap_s * 1000) / warmth,
  };
}

/** How far ahead of the even time a message may go: that makes a burst, whatever the jitter. */
function aheadOf(gapMs: number, { burst, jitter }: PacingLimits, bulk: boolean): number {
  return bulk ? 0 : (burst - 1) * gapMs * (1 + jitter);
}

/**
 * Without moments that lie farther ahead than any pace leads: the clock was ahead and was set right, or was another
 * shard's. Such a wait would be as long as the clock was wrong.
 */
export function believable(pace: AccountPace, limits: PacingLimits, now: number): AccountPace {
  const { messageMs, firstContactMs } = gapsOf(pace, limits, now);
  const orNow = (at: number, gapMs: number) => (at > now + (limits.burst + 1) * gapMs * (1 + limits.jitter) ? now : at);
  const nextAt = orNow(pace.nextAt, messageMs);
  const nextFirstContactAt = orNow(pace.nextFirstContactAt, firstContactMs);
  return { ...pace, nextAt, nextFirstContactAt, day: pace.day.start > now ? { ...pace.day, start: now } : pace.day };
}

/** Changed limits count at once: what was to be waited for under the old ones is waited for no longer. */
export function relieved(pace: AccountPace, now: number): AccountPace {
  return { ...pace, nextAt: Math.min(pace.nextAt, now), nextFirstContactAt: Math.min(pace.nextFirstContactAt, now) };
}

export function dayOf({ day }: AccountPace, now: number): AccountPace["day"] {
  return now >= day.start + dayMs ? { start: now, firstContacts: 0 } : day;
}

/**
 * What WhatsApp's refusals mean. 463: the account may not begin chats at present; 429: too many messages. To go on
 * would make a restriction a ban.
 */
const meaning: Record<string, { holds: Held; firstMs: number } | undefined> = {
  "463": { holds: "first_contacts", firstMs: 60 * minuteMs },
  "429": { holds: "everything", firstMs: 15 * minuteMs },
};
const longestMs = dayMs;

/** The pace after a refusal; undefined where it has nothing to do with pace. Each further stop within a day lasts twice as long. */
export function afterRefusal(
  pace: AccountPace,
  code: string,
  now: number,
): { pace: AccountPace; holds: Held; until: number } | undefined {
  const known = meaning[code];
  if (known === undefined) return undefined;
  const earlier = pace.stops[known.holds];
  // What was on its way when the first one was refused is refused too, and is the same refusal.
  if (earlier !== undefined && earlier.until > now) return { pace, holds: known.holds, until: earlier.until };
  const times = earlier !== undefined && now < earlier.until + dayMs ? earlier.times + 1 : 1;
  const until = now + Math.min(longestMs, known.firstMs * 2 ** (times - 1));
  return {
    pace: { ...pace, stops: { ...pace.stops, [known.holds]: { code, since: now, until, times } } },
    holds: known.holds,
    until,
  };
}
