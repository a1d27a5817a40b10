import { createBusinessRow } from "../../../../lib/testing/business.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Business } from "../../rig/pairing.ts";
import { makeBusinesses, pairAll } from "../../rig/pairing.ts";
import { patienceMs } from "./patience.ts";
import type { Stage } from "./stage.ts";

/** The businesses of a run and the logins that they must keep. */
export class Logins {
  readonly #stage: Stage;
  /** They send and receive messages. */
  readonly businesses: Business[];
  /** Pairs and loses its login while the others work. */
  readonly pairingBusiness: Business;
  readonly #logins = new Map<string, string>();

  private constructor(stage: Stage, businesses: Business[], pairingBusiness: Business) {
    this.#stage = stage;
    this.businesses = businesses;
    this.pairingBusiness = pairingBusiness;
  }

  /** Creates and pairs `count` businesses; the pairingBusiness stays unpaired. */
  static async pair(stage: Stage, count: number, contacts: number): Promise<Logins> {
    const all = makeBusinesses(count + 1, contacts);
    for (const { id } of all) await createBusinessRow(stage.db, { id });
    const [pairingBusiness, ...businesses] = all as [Business, ...Business[]];
    await stage.simulator.makePhone(pairingBusiness.phone);
    await pairAll(stage.shard, stage.simulator, businesses);
    const logins = new Logins(stage, businesses, pairingBusiness);
    for (const { phone } of businesses) logins.#logins.set(phone, await logins.#login(phone));
    return logins;
  }

  get all(): Business[] {
    return [this.pairingBusiness, ...this.businesses];
  }

  /** Waits until every session of the businesses is open; returns the seconds that it took. */
  async allOpen(): Promise<number> {
    const began = performance.now();
    const ids = new Set(this.businesses.map(({ id }) => id));
    const open = async () => {
      const sessions = await this.#stage.shard.sessions();
      return (
        sessions.filter(({ business_id, status }) => ids.has(business_id) && status === "open").length === ids.size
      );
    };
    await until(open, { what: "all sessions to be open", deadlineMs: patienceMs, everyMs: 20 });
    return (performance.now() - began) / 1000;
  }

  /** Counts businesses whose phone lists another login than at the start: they needed a new QR code. */
  async relinked(): Promise<number> {
    let relinked = 0;
    for (const [phone, login] of this.#logins) if ((await this.#login(phone)) !== login) relinked += 1;
    return relinked;
  }

  async #login(phone: string): Promise<string> {
    return (await this.#stage.simulator.devices(phone)).map(({ device, linked_at }) => `${device} ${linked_at}`).join();
  }
}
