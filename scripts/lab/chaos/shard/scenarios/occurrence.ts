import { forBusiness } from "../../../../../lib/db/index.ts";
import { storeMedia } from "../../../../../lib/media-store/index.ts";
import { until } from "../../../../../lib/testing/until.ts";
import type { MessageContent } from "../../../../../lib/messages/index.ts";
import type { Business } from "../../../rig/pairing.ts";
import type { Fault, Screen } from "../../../rig/simulator.ts";
import { patienceMs } from "../patience.ts";
import type { Stage } from "../stage.ts";
import { submit } from "../submit.ts";
import type { Submitted } from "../submit.ts";
import type { Claim, Written } from "./claim.ts";

/** One kind of side traffic. `run` acts for the people of both sides, and says what must hold afterwards. */
export type Scenario = { name: string; run: (occurrence: Occurrence) => Promise<Claim> };

export const namings = ["number", "lid", "lid_only"] as const;
export type Naming = (typeof namings)[number];

export type SideStage = Pick<Stage, "db" | "producer" | "simulator" | "owner" | "store">;

/** Ids that all occurrences of a run share. */
export class Register {
  /** Ids of all messages that phones wrote. */
  readonly written = new Set<string>();
  /** Ids of statuses and channel posts, which must not be stored. */
  readonly posted = new Set<string>();
  #next = 0;

  next(): number {
    return this.#next++;
  }
}

const firstCustomer = 15_600_000_000;

export const oneOf = <T>(choices: readonly T[]): T => choices[Math.floor(Math.random() * choices.length)]!;

export const shuffled = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);

/** One occurrence of a scenario: the acts of a business and of new customers. */
export class Occurrence {
  readonly business: Business;
  readonly #stage: SideStage;
  readonly #register: Register;

  constructor(stage: SideStage, register: Register, business: Business) {
    this.#stage = stage;
    this.#register = register;
    this.business = business;
  }

  ask = <T>(method: string, path: string, body?: object): Promise<T> =>
    this.#stage.simulator.ask<T>(method, path, body);

  /** A number without a phone. */
  newNumber(): string {
    return String(firstCustomer + this.#register.next());
  }

  /** Creates the phone of a new customer. */
  async customer(settings: { naming?: Naming; spellings?: string[]; phone?: string } = {}): Promise<string> {
    const phone = settings.phone ?? this.newNumber();
    await this.ask("POST", "/phones", { ...settings, phone });
    return phone;
  }

  rename = (phone: string, naming: Naming): Promise<unknown> => this.ask("POST", "/phones", { phone, naming });

  /** A text that no other message has. */
  text(words: string): string {
    return `${words} (${this.#register.next()})`;
  }

  /** A phone writes to the business, or to `to`. */
  async write(from: string, body: { to?: string; text?: string } & Record<string, unknown>): Promise<Written> {
    const message = { to: this.business.phone, ...body };
    const { id, companions } = await this.ask<{ id: string; companions: number }>(
      "POST",
      `/phones/${from}/messages`,
      message,
    );
    if (companions === 0) throw new Error(`no companion got the message ${id}`);
    this.#register.written.add(id);
    return { id, from, text: body.text ?? "" };
  }

  /** A modified client sends the business a malformed message. */
  async hostile(from: string, attack: { kind: string; claim: string }): Promise<void> {
    const body = { to: this.business.phone, ...attack };
    this.#register.written.add((await this.ask<{ id: string }>("POST", `/phones/${from}/hostile`, body)).id);
  }

  /** A phone posts a status, or to a channel. */
  async post(from: string, address: { to: string; stanza?: string }): Promise<Written> {
    const written = await this.write(from, { ...address, audience: [this.business.phone], text: this.text("a post") });
    this.#register.posted.add(written.id);
    return written;
  }

  /** The business sends a text, or other content, to a number or to a JID. */
  submit(to: string, content: MessageContent = { type: "text", text: this.text("an answer") }): Promise<Submitted> {
    return submit(this.#stage, this.business, to.includes("@") ? to : jidOf(to), content);
  }

  /** Stores a file of the business, which it may send. */
  async keep(content: Buffer): Promise<{ id: string; mime: string }> {
    const bytes = async function* () {
      yield content;
    };
    const scope = forBusiness(this.#stage.db, this.business.id);
    const stored = () => storeMedia(scope, this.#stage.store, bytes(), { maxBytes: content.length });
    const { media } = await until(stored, { what: "Postgres to have a file", deadlineMs: patienceMs, everyMs: 250 });
    return { id: media.id, mime: media.mime };
  }

  /** Resolves when the phone shows the message: true; or when it failed: false. */
  async shown({ id, text }: Submitted, phone: string): Promise<boolean> {
    let failed = false;
    await until(
      async () => {
        const { data } = await this.ask<Screen>("GET", `/phones/${phone}/messages`);
        if (data.some((message) => message.text === text)) return true;
        const [row] = await this.#stage.owner<{ status: string }[]>`select status from messages where id = ${id}`;
        failed = row?.status === "failed";
        return failed;
      },
      { what: `${phone} to show a message`, deadlineMs: patienceMs, everyMs: 250 },
    );
    return !failed;
  }

  /** Resolves when WhatsApp has answered the message. */
  async decided({ id }: Submitted): Promise<void> {
    const answered = async () => {
      const [row] = await this.#stage.owner<{ status: string }[]>`select status from messages where id = ${id}`;
      return row !== undefined && row.status !== "queued";
    };
    await until(answered, { what: `the message ${id} to be answered`, deadlineMs: patienceMs, everyMs: 250 });
  }

  /** Resolves when Postgres has a phone's message; returns its chat. */
  arrived({ id }: Written): Promise<string> {
    return until(
      async () => {
        const [row] = await this.#stage.owner<{ chat: string }[]>`
          select chat from messages where business_id = ${this.business.id} and wa_message_id = ${id}`;
        return row?.chat;
      },
      { what: `Postgres to have the message ${id}`, deadlineMs: patienceMs, everyMs: 250 },
    );
  }

  /** Creates a group of the business and these numbers; the first of them administers it. */
  async group(...members: string[]): Promise<string> {
    const addressing = oneOf(["lid", "pn"]);
    const body = { subject: "Orders", members: [...members, this.business.phone], addressing };
    return (await this.ask<{ id: string }>("POST", "/groups", body)).id;
  }

  fault = (fault: Fault): Promise<unknown> => this.#stage.simulator.fault(fault);
}

export const jidOf = (number: string): string => `${number}@s.whatsapp.net`;
