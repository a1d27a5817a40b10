import { assignShard, forBusiness, forPlatform, insertBusiness } from "../../../../lib/db/index.ts";
import { until } from "../../../../lib/testing/until.ts";
import type { Business } from "../../rig/pairing.ts";
import { makeBusinesses, pairAll } from "../../rig/pairing.ts";
import type { Stage } from "./stage.ts";

/** The businesses of a run, and the logins that they must not lose. */
export class Cast {
  readonly #stage: Stage;
  /** Those that write and are written to. */
  readonly businesses: Business[];
  /** Pairs, or loses its login, while the others work. */
  readonly apprentice: Business;
  readonly #logins = new Map<string, string>();

  private constructor(stage: Stage, businesses: Business[], apprentice: Business) {
    this.#stage = stage;
    this.businesses = businesses;
    this.apprentice = apprentice;
  }

  /** Makes and pairs `count` businesses; the apprentice is made and not paired. */
  static async assemble(stage: Stage, count: number, contacts: number): Promise<Cast> {
    const all = makeBusinesses(count + 1, contacts);
    for (const { id } of all) {
      await insertBusiness(forPlatform(stage.db), { id, name: "A business", time_zone: "UTC" });
      await assignShard(forBusiness(stage.db, id), 1);
    }
    const [apprentice, ...businesses] = all as [Business, ...Business[]];
    await stage.simulator.makePhone(apprentice.phone);
    await pairAll(stage.shard, stage.simulator, businesses);
    const cast = new Cast(stage, businesses, apprentice);
    for (const { phone } of businesses) cast.#logins.set(phone, await cast.#login(phone));
    return cast;
  }

  /** Waits until every session of the businesses is open. Gives the seconds that it took. */
  async allOpen(deadlineMs = 120_000): Promise<number> {
    const began = performance.now();
    const ids = new Set(this.businesses.map(({ id }) => id));
    const open = async () => {
      const sessions = await this.#stage.shard.sessions();
      return (
        sessions.filter(({ business_id, status }) => ids.has(business_id) && status === "open").length === ids.size
      );
    };
    await until(open, { what: "all sessions to be open", deadlineMs, everyMs: 20 });
    return (performance.now() - began) / 1000;
  }

  /** Businesses whose phone lists another login than at the beginning: they needed a new QR. */
  async relinked(): Promise<number> {
    let relinked = 0;
    for (const [phone, login] of this.#logins) if ((await this.#login(phone)) !== login) relinked += 1;
    return relinked;
  }

  async #login(phone: string): Promise<string> {
    return (await this.#stage.simulator.devices(phone)).map(({ device, linked_at }) => `${device} ${linked_at}`).join();
  }
}
