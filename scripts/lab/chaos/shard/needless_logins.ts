import type { LedgerEntry } from "../../../../services/simulator/whatsapp/ledger.ts";

type Event = Extract<LedgerEntry, { event: "login" | "ended" }>;
/** Unix ms. */
export type Interval = { from: number; to: number };

/** Faults of the client's own machine, which end connections. */
export type OwnFaults = {
  /** When the client's process died, Unix ms. */
  deaths: readonly number[];
  /** When the client's disk was full. */
  outages: readonly Interval[];
};

/**
 * Finds the logins that no fault of the run explains: the client itself had ended the device's connection before, and
 * neither did its process die nor its disk fill up since it was opened.
 */
export function needlessLogins(events: readonly Event[], { deaths, outages }: OwnFaults): Event[] {
  const openedAt = new Map<string, number>();
  const leftAt = new Map<string, number>();
  const needless: Event[] = [];
  for (const one of events) {
    const { event, phone, device, at, ...more } = one;
    const name = `${phone} ${device}`;
    if (event === "ended") {
      if ("by" in more && more.by === "client") leftAt.set(name, at);
      continue;
    }
    const [opened, left] = [openedAt.get(name), leftAt.get(name)];
    openedAt.set(name, at);
    leftAt.delete(name);
    if (opened === undefined || left === undefined) continue;
    const died = deaths.some((death) => death > opened && death < at);
    if (!died && !outages.some(({ from, to }) => left >= from && left <= to)) needless.push(one);
  }
  return needless;
}
