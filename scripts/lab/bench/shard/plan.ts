import type { Business } from "../../rig/pairing.ts";

/** What both sides of the comparison are given to do. */
export type Plan = {
  businesses: Business[];
  /** Messages of the measured round, over all sessions. */
  messages: number;
  folder: string;
  say: (line: string) => void;
};

/** Messages a session sends so that all together send `total`. */
export const perSession = ({ businesses }: Pick<Plan, "businesses">, total: number): number =>
  Math.max(1, Math.round(total / businesses.length));

/**
 * What comes before the measured round: first messages to all contacts, which cost a key exchange, and code to be
 * compiled.
 */
export const warmUpEach = (plan: Plan): number =>
  Math.max(plan.businesses[0]!.contacts.length, perSession(plan, plan.messages / 4));

export const perMinute = (messages: number, ms: number): number => (messages / ms) * 60_000;

export type Round = { perMinute: number; cpuMsPerMessage: number };

/** Of two rounds the one that something else on the machine disturbed less. */
export const better = <R extends Round>(one: R, other: R): R => (other.perMinute > one.perMinute ? other : one);
