import type { OwnerConnection } from "../../../../lib/db/client/owner.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Business } from "../../rig/pairing.ts";
import { textOf } from "../../rig/text.ts";
import type { Stage } from "./stage.ts";

/** One ad and one status for so many messages of contacts. */
const every = 20;
/** Until the phone has resent the last ad: it is asked again after each login. */
const adsDeadlineMs = 180_000;
const firstCustomer = 15_600_000_000;

export type SideOutcome = {
  /** First messages of people who come from an advertisement: only the phone has them. */
  adsReceived: number;
  adsLost: number;
  /** Statuses of contacts that were stored as messages. */
  statusesStored: number;
};

/** Messages besides the chats that are compared: ads, each from a new customer, and statuses of contacts. */
export class SideTraffic {
  readonly #simulator: Pick<Stage["simulator"], "ask">;
  readonly #ads = new Set<string>();
  #written = 0;

  constructor({ simulator }: Pick<Stage, "simulator">) {
    this.#simulator = simulator;
  }

  /** A contact wrote a message. */
  async beside({ phone }: Business, contact: string): Promise<void> {
    const n = this.#written++;
    if (n % every !== 0) return;
    const ad = textOf("ad", phone, n);
    this.#ads.add(ad);
    await this.#write(String(firstCustomer + n), { to: phone, text: ad, companions_get: "unavailable" });
    const status = { to: "status@broadcast", audience: [phone], text: textOf("status", phone, n) };
    await this.#write(contact, status);
  }

  isAd(text: string): boolean {
    return this.#ads.has(text);
  }

  async outcome(owner: OwnerConnection): Promise<SideOutcome> {
    const received = async () => {
      const rows = await owner<{ text: string }[]>`select distinct text from messages where direction = 'inbound'`;
      return rows.filter(({ text }) => this.#ads.has(text)).length;
    };
    const all = async () => (await received()) === this.#ads.size;
    await until(all, { what: "every ad", deadlineMs: adsDeadlineMs, everyMs: 500 }).catch(() => {});
    const adsReceived = await received();
    const [row] = await owner<[{ count: number }]>`
      select count(*)::integer as count from messages where chat like '%@broadcast' or text like ${"status %"}`;
    return { adsReceived, adsLost: this.#ads.size - adsReceived, statusesStored: row.count };
  }

  #write(from: string, body: object): Promise<unknown> {
    return this.#simulator.ask("POST", `/phones/${from}/messages`, body);
  }
}
