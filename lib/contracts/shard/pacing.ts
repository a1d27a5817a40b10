import { z } from "zod";
import { createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/*
 * Pacing limits how fast an account sends, because WhatsApp restricts and bans accounts that look automated. WhatsApp
 * publishes no numbers. The defaults below are more careful than the limits that operators report.
 */

/** The limits of one account. */
export const pacingLimits = z.object({
  /** True if the account is paced. */
  enabled: z.boolean(),
  /** Messages of all kinds, to people and groups, after the warm-up. */
  messages_per_minute: z.number().min(1).max(1_000),
  /**
   * Messages, except a broadcast's, that may go back to back before they are throttled, and as many new chats.
   * Broadcasts wait until the burst has been made up for, so that the rate holds. At least 2: with 1, an urgent message
   * would wait behind a broadcast's.
   */
  burst: z.int().min(2).max(100),
  /** Random variation of the gap between messages: 0.3 means 70 % to 130 %. */
  jitter: z.number().min(0).max(0.9),
  /** Minimum time between two messages that each start a new chat. */
  first_contact_gap_s: z.number().min(0).max(3_600),
  /** New chats per 24 h, after the warm-up. Broadcasts leave a fifth of them to urgent messages. */
  first_contacts_per_day: z.int().min(0).max(100_000),
  /** Days from the first message in which the limits grow from a tenth to their full values. */
  warm_up_days: z.number().min(0).max(90),
});
export type PacingLimits = z.infer<typeof pacingLimits>;

/** The settings of a business. Omitted limits have the platform's values. */
export const pacingSettings = pacingLimits.partial();
export type PacingSettings = z.infer<typeof pacingSettings>;

/** Allow a reply within seconds. A campaign of a thousand messages takes most of an hour. */
export const defaultLimits: Omit<PacingLimits, "enabled"> = {
  messages_per_minute: 20,
  burst: 5,
  jitter: 0.3,
  first_contact_gap_s: 30,
  first_contacts_per_day: 200,
  warm_up_days: 10,
};

/** The Consul key with the platform's settings as JSON. They override the defaults for every business. */
export const platformPacingKey = "prosaas/whatsapp/pacing";

/** Parses the platform's settings; null if they are invalid. */
export function parsePlatformPacing(text: string): PacingSettings | null {
  try {
    return z.strictObject(pacingSettings.shape).parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Merges the limits in force: the business's settings, else the platform's, else `enabled` and the defaults. */
export function limitsOf(
  settings: PacingSettings | null | undefined,
  enabled: boolean,
  platform: PacingSettings = {},
): PacingLimits {
  return { ...defaultLimits, enabled, ...platform, ...settings };
}

const time = z.iso.datetime({ offset: true });

export const pacingStop = z.object({
  /** The messages that are stopped: all, or those that start a new chat. */
  holds: z.enum(["everything", "first_contacts"]),
  /** WhatsApp's error code. */
  code: z.string(),
  since: time,
  until: time,
});
export type PacingStop = z.infer<typeof pacingStop>;

/** The pacing state of an account. */
export const pacingState = z.object({
  /** The fraction of its limits that the warm-up allows, 0.1 to 1. */
  warmth: z.number(),
  /** When the next message may be sent; null: now. */
  next_at: time.nullable(),
  /** When the next new chat may start; null: now. */
  next_first_contact_at: time.nullable(),
  /** The same times for broadcasts. */
  broadcasts: z.object({ next_at: time.nullable(), next_first_contact_at: time.nullable() }),
  first_contacts_today: z.int().min(0),
  /** Sending stops, set after WhatsApp rejected messages as too many. */
  stops: z.array(pacingStop),
  /** WhatsApp's own restrictions of the account; null before they were read. An earlier shard does not report them. */
  whatsapp: z
    .object({
      /** No new chat may start until then; null: no lock. */
      locked_until: time.nullable(),
      /** The cap of new chats; null: none. */
      new_chats: z.object({ total: z.int(), used: z.int(), resets_at: time }).nullable(),
      /** When WhatsApp was last asked; null: it only sent notices. */
      read_at: time.nullable(),
    })
    .nullish(),
});
export type PacingState = z.infer<typeof pacingState>;

const pacingView = z.object({ limits: pacingLimits, state: pacingState });
export type PacingView = z.infer<typeof pacingView>;

/** The pacing client. Its methods throw `AppError` as `ShardClient` does. */
export interface ShardPacing {
  view(at: ShardLocation, businessId: string, settings: PacingSettings | null): Promise<PacingView>;
  /** Lifts the sending stops of an account. */
  resume(at: ShardLocation, businessId: string): Promise<void>;
}

export function createShardPacing(options: ShardClientOptions): ShardPacing {
  const call = createShardCall(options);
  const path = (businessId: string) => `/sessions/${encodeURIComponent(businessId)}/pacing`;
  return {
    view: async (at, businessId, settings) =>
      jsonOf(at, pacingView, await call(at, "POST", `${path(businessId)}/view`, { json: { settings } })),
    resume: async (at, businessId) => {
      await call(at, "DELETE", `${path(businessId)}/stops`);
    },
  };
}
