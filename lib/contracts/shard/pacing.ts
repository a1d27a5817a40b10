import { z } from "zod";
import { createShardCall, jsonOf } from "./call.ts";
import type { ShardClientOptions, ShardLocation } from "./call.ts";

/*
 * Pacing: how fast an account may send without looking like a machine to WhatsApp, which restricts and bans those that
 * do. WhatsApp publishes no numbers; the defaults below are on the careful side of what operators report.
 */

/** The limits of one account. */
export const pacingLimits = z.object({
  /** Whether it is paced at all. */
  enabled: z.boolean(),
  /** Messages of all kinds, to people and groups, once the account is warm. */
  messages_per_minute: z.number().min(1).max(1_000),
  /**
   * Messages other than a broadcast's that may go one right behind the other, and as many new chats, before they are
   * held to the pace. What goes ahead of the pace the broadcasts wait for, so that the rate stays. Two at the least: with
   * one, what is urgent would wait for a broadcast's message.
   */
  burst: z.int().min(2).max(100),
  /** How much the gap between two messages varies: 0.3 is from 70 % to 130 % of it. */
  jitter: z.number().min(0).max(0.9),
  /** The least time between two messages that each begin a chat. */
  first_contact_gap_s: z.number().min(0).max(3_600),
  /** Chats begun within 24 hours, once the account is warm; broadcasts leave a fifth of them to what is more urgent. */
  first_contacts_per_day: z.int().min(0).max(100_000),
  /** Over so many days from its first message the account goes from a tenth of its limits to all of them. */
  warm_up_days: z.number().min(0).max(90),
});
export type PacingLimits = z.infer<typeof pacingLimits>;

/** What a business has set; what it leaves out is the platform's default. */
export const pacingSettings = pacingLimits.partial();
export type PacingSettings = z.infer<typeof pacingSettings>;

/** A reply within seconds stays possible; a campaign of a thousand takes most of an hour. */
export const defaultLimits: Omit<PacingLimits, "enabled"> = {
  messages_per_minute: 20,
  burst: 5,
  jitter: 0.3,
  first_contact_gap_s: 30,
  first_contacts_per_day: 200,
  warm_up_days: 10,
};

/** The Consul key with the platform's own settings, JSON: they stand in place of the defaults for whoever did not choose. */
export const platformPacingKey = "prosaas/whatsapp/pacing";

/** The settings that a text holds; null where it makes no sense. */
export function parsePlatformPacing(text: string): PacingSettings | null {
  try {
    return z.strictObject(pacingSettings.shape).parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The limits in force: what the business chose, else the platform, else the defaults; `enabled` is the shard's. */
export function limitsOf(
  settings: PacingSettings | null | undefined,
  enabled: boolean,
  platform: PacingSettings = {},
): PacingLimits {
  return { ...defaultLimits, enabled, ...platform, ...settings };
}

const time = z.iso.datetime({ offset: true });

export const pacingStop = z.object({
  /** What may not be sent: anything, or what begins a chat. */
  holds: z.enum(["everything", "first_contacts"]),
  /** WhatsApp's refusal. */
  code: z.string(),
  since: time,
  until: time,
});
export type PacingStop = z.infer<typeof pacingStop>;

/** Where an account stands. */
export const pacingState = z.object({
  /** The part of its limits that a warming account has, from 0.1 to 1. */
  warmth: z.number(),
  /** When the next message may go; null: now. */
  next_at: time.nullable(),
  /** When the next chat may be begun; null: now. */
  next_first_contact_at: time.nullable(),
  /** The same for what a broadcast sends. */
  broadcasts: z.object({ next_at: time.nullable(), next_first_contact_at: time.nullable() }),
  first_contacts_today: z.int().min(0),
  /** Set after WhatsApp refused messages as too many. */
  stops: z.array(pacingStop),
});
export type PacingState = z.infer<typeof pacingState>;

export const pacingView = z.object({ limits: pacingLimits, state: pacingState });
export type PacingView = z.infer<typeof pacingView>;

/** Calls about pacing; they throw `AppError` as those of `ShardClient` do. */
export interface ShardPacing {
  view(at: ShardLocation, businessId: string, settings: PacingSettings | null): Promise<PacingView>;
  /** Lets an account send again that was stopped because WhatsApp refused messages. */
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
