import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { forBusiness, submitMessage } from "../../../../lib/db/index.ts";
import { ChatLog } from "../../rig/chat_log.ts";
import { SteadyLoad } from "../../rig/load.ts";
import type { Business } from "../../rig/pairing.ts";
import { textOf } from "../../rig/text.ts";
import { SideTraffic } from "./side_traffic.ts";
import type { Stage } from "./stage.ts";

/** Pause before a retry while Postgres is unavailable, ms. */
const pauseMs = 200;

/**
 * Businesses and their contacts that write to each other at a steady rate. In each direction of a business, a message
 * is written after Postgres or WhatsApp has taken the one before it.
 */
export class Traffic {
  readonly #stage: Pick<Stage, "db" | "producer" | "simulator">;
  readonly load: SteadyLoad;
  /** Ids and contacts of the messages that Postgres has accepted, by text. */
  readonly submitted = new Map<string, { id: string; contact: string }>();
  readonly sent = new ChatLog();
  readonly written = new ChatLog();
  readonly side: SideTraffic;

  /** `perSecond`: messages in each direction. */
  constructor(stage: Pick<Stage, "db" | "producer" | "simulator">, businesses: readonly Business[], perSecond: number) {
    this.#stage = stage;
    this.side = new SideTraffic(stage);
    this.load = new SteadyLoad({
      perSecond,
      jobsAt: (n) => {
        const business = businesses[n % businesses.length]!;
        const contact = business.contacts[Math.floor(n / businesses.length) % business.contacts.length]!;
        const [out, back] = [textOf("out", business.phone, n), textOf("in", business.phone, n)];
        return [
          { lane: `out ${business.id}`, run: () => this.#submit(business, contact, out) },
          { lane: `in ${business.id}`, run: () => this.#write(business, contact, back) },
        ];
      },
    });
  }

  /** Does what the API does for a client that retries until it is answered. */
  async #submit(business: Business, contact: string, text: string): Promise<void> {
    const id = uuidv7();
    const message = { id, chat: `${contact}@s.whatsapp.net`, type: "text", text, wa_message_id: whatsappMessageId(id) };
    const idempotency = { key: id, fingerprint: id, status: 202, response: { id } };
    const scope = forBusiness(this.#stage.db, business.id);
    for (;;) {
      const submission = await submitMessage(scope, message, { idempotency }).catch(() => undefined);
      if (submission?.outcome === "accepted" || submission?.outcome === "replayed") break;
      await Bun.sleep(pauseMs);
    }
    this.sent.add(contact, text);
    this.submitted.set(text, { id, contact });
    // While Redis is down the sweep re-enqueues the business.
    await this.#stage.producer.wake("send", { business_id: business.id }).catch(() => {});
  }

  async #write(business: Business, contact: string, text: string): Promise<void> {
    await this.#stage.simulator.write(contact, business.phone, text);
    this.written.add(contact, text);
    await this.side.beside(business, contact);
  }
}
