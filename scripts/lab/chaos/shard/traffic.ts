import { ChatLog } from "../../rig/chat_log.ts";
import { SteadyLoad } from "../../rig/load.ts";
import type { Job } from "../../rig/load.ts";
import type { Business } from "../../rig/pairing.ts";
import { textOf } from "../../rig/text.ts";
import type { SideStage } from "./scenarios/occurrence.ts";
import { SideTraffic } from "./side_traffic.ts";
import { submit } from "./submit.ts";
import type { Submitted } from "./submit.ts";

export type TrafficPlan = {
  /** Messages a second in each direction. */
  perSecond: number;
  /** One scenario of the side traffic for so many messages of each direction. */
  scenarioEvery: number;
};

/**
 * Businesses and their contacts that write to each other at a steady rate, and side traffic. In each direction of a
 * business, a message is written after Postgres or WhatsApp has taken the one before it.
 */
export class Traffic {
  readonly #stage: SideStage;
  readonly load: SteadyLoad;
  /** The messages that Postgres has accepted, by text. */
  readonly submitted = new Map<string, Submitted & { business: Business; contact: string }>();
  readonly sent = new ChatLog();
  readonly written = new ChatLog();
  readonly side: SideTraffic;

  constructor(stage: SideStage, businesses: readonly Business[], { perSecond, scenarioEvery }: TrafficPlan) {
    this.#stage = stage;
    this.side = new SideTraffic(stage, businesses);
    this.load = new SteadyLoad({
      perSecond,
      jobsAt: (n) => {
        const business = businesses[n % businesses.length]!;
        const contact = business.contacts[Math.floor(n / businesses.length) % business.contacts.length]!;
        const [out, back] = [textOf("out", business.phone, n), textOf("in", business.phone, n)];
        const jobs: Job[] = [
          { lane: `out ${business.id}`, run: () => this.#submit(business, contact, out) },
          { lane: `in ${business.id}`, run: () => this.#write(business, contact, back) },
        ];
        if (n % scenarioEvery === 0) jobs.push({ run: () => this.side.next() });
        return jobs;
      },
    });
  }

  async #submit(business: Business, contact: string, text: string): Promise<void> {
    const submitted = await submit(this.#stage, business, `${contact}@s.whatsapp.net`, { type: "text", text });
    this.sent.add(contact, text);
    this.submitted.set(text, { ...submitted, business, contact });
  }

  async #write(business: Business, contact: string, text: string): Promise<void> {
    const { id } = await this.#stage.simulator.write(contact, business.phone, text);
    this.side.register.written.add(id);
    this.written.add(contact, text);
  }
}
