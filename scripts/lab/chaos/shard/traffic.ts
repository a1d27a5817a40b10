import { uuidv7, whatsappMessageId } from "../../../../lib/core/ids.ts";
import { forBusiness, submitMessage } from "../../../../lib/db/index.ts";
import { textOf } from "../../rig/text.ts";
import type { Business } from "../../rig/pairing.ts";
import type { Stage } from "./stage.ts";

/** Between two attempts at a Postgres that is away, ms. */
const pauseMs = 200;

/**
 * Businesses and their contacts, who write to each other all the time at a steady rate. In each chat a message is
 * written when the one before it was taken, by Postgres or by WhatsApp.
 */
export class Traffic {
  readonly #stage: Pick<Stage, "db" | "producer" | "simulator">;
  readonly #businesses: Business[];
  readonly #perSecond: number;
  readonly #tails = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;
  #until: number | undefined;
  #failure: unknown;
  /** What was written in each chat with a contact, in order. */
  readonly submitted = new Map<string, { id: string; text: string }[]>();
  readonly written = new Map<string, string[]>();
  /** Messages each way so far. */
  count = 0;

  /** `perSecond`: messages each way. */
  constructor(stage: Pick<Stage, "db" | "producer" | "simulator">, businesses: readonly Business[], perSecond: number) {
    this.#stage = stage;
    this.#businesses = [...businesses];
    this.#perSecond = perSecond;
  }

  /** Another business that writes and is written to. */
  join(business: Business): void {
    this.#businesses.push(business);
  }

  start(): void {
    this.#running = this.#run();
    // Thrown by check() and finish().
    this.#running.catch(() => {});
  }

  /** Throws where something failed that is not one of the ordeals. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  /** Ends once there were at least `count` messages each way, and all of them were taken. */
  async finish(count: number): Promise<void> {
    this.#until = count;
    await this.#running;
    await Promise.all(this.#tails.values());
  }

  async #run(): Promise<void> {
    const began = performance.now();
    for (; this.#until === undefined || this.count < this.#until; this.count++) {
      const early = began + (this.count / this.#perSecond) * 1000 - performance.now();
      if (early > 1) await Bun.sleep(early);
      this.check();
      const n = this.count;
      const business = this.#businesses[n % this.#businesses.length]!;
      const contact = business.contacts[Math.floor(n / this.#businesses.length) % business.contacts.length]!;
      this.#after(`out ${business.id}`, () => this.#submit(business, contact, textOf("out", business.phone, n)));
      this.#after(`in ${business.id}`, () => this.#write(business, contact, textOf("in", business.phone, n)));
    }
  }

  #after(chain: string, work: () => Promise<void>): void {
    const tail = (this.#tails.get(chain) ?? Promise.resolve()).then(work);
    tail.catch((error: unknown) => (this.#failure ??= error));
    this.#tails.set(chain, tail);
  }

  /** What the API does, for a client that asks again until it has an answer. */
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
    append(this.submitted, contact, { id, text });
    // Without Redis the sweep does it.
    await this.#stage.producer.wake("send", { business_id: business.id }).catch(() => {});
  }

  async #write({ phone }: Business, contact: string, text: string): Promise<void> {
    await this.#stage.simulator.write(contact, phone, text);
    append(this.written, contact, text);
  }
}

function append<T>(chats: Map<string, T[]>, contact: string, item: T): void {
  const items = chats.get(contact);
  if (items === undefined) chats.set(contact, [item]);
  else items.push(item);
}
