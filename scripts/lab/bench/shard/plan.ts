import type { Business } from "../../rig/pairing.ts";

/** The work of both sides of the comparison. */
export type Plan = {
  businesses: Business[];
  /** Messages of the measured round, over all sessions. */
  messages: number;
  folder: string;
  say: (line: string) => void;
};

/** Messages of each session so that all send `total`. */
export const perSession = ({ businesses }: Pick<Plan, "businesses">, total: number): number =>
  Math.max(1, Math.round(total / businesses.length));

/** Warm-up messages of each session: the first to a contact costs a key exchange, and code is not compiled yet. */
export const warmUpEach = (plan: Plan): number =>
  Math.max(plan.businesses[0]!.contacts.length, perSession(plan, plan.messages / 4));

export const perMinute = (messages: number, ms: number): number => (messages / ms) * 60_000;

export type Round = { perMinute: number; cpuMsPerMessage: number };

/** The faster of two rounds, which other work of the machine disturbed less. */
export const better = <R extends Round>(one: R, other: R): R => (other.perMinute > one.perMinute ? other : one);
