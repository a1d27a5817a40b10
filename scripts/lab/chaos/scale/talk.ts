import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import { HttpFailure } from "../../../cli/operator/http.ts";
import { allPages } from "../../../cli/operator/pages.ts";
import type { Page } from "../../../cli/operator/pages.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { addComparisons, compareChat, nothingCompared } from "../../rig/comparison.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Member } from "./crowd.ts";
import type { Stage } from "./stage.ts";

type Chat = { member: Member; contact: string; sent: string[]; written: string[] };
type Row = { chat: string; text?: string; queued_at: string };

/** A request to the API is repeated until it is accepted, under the same key; each failure counts. */
const repeatMs = 200;

/** How often the API is only asked something, in the place of which nothing is sent. */
const readEvery = 5;

/** Businesses and their contacts write to each other at a steady rate, each chat in an order of its own. */
export class Talk {
  readonly failures: string[] = [];
  requests = 0;
  repeated = 0;
  readonly #stage: Stage;
  readonly #chats: Chat[];
  readonly #everyMs: number;
  readonly #underWay = new Set<Promise<void>>();
  /** The last piece of work of each chat and direction: the next one waits for it. */
  readonly #turns = new Map<string, Promise<void>>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;

  /** `perMinute` messages each way. */
  constructor(stage: Stage, crowd: readonly Member[], perMinute: number) {
    this.#stage = stage;
    this.#chats = crowd.flatMap((member) =>
      member.contacts.map((contact) => ({ member, contact, sent: [], written: [] })),
    );
    this.#everyMs = 60_000 / perMinute;
  }

  get messages(): number {
    return this.#chats.reduce((sum, { sent, written }) => sum + sent.length + written.length, 0);
  }

  start(): void {
    const began = performance.now();
    this.#timer = setInterval(() => {
      // A timer that comes late makes up for it: the rate is kept.
      while (this.#ticks * this.#everyMs < performance.now() - began) this.#tick();
    }, this.#everyMs / 2);
  }

  /** Resolves when all that was begun is accepted. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  /** Waits for the last message at both ends and compares all of them by content and order. */
  async compare(deadlineMs: number): Promise<Comparison> {
    const deadline = { deadlineMs, everyMs: 500 };
    const shown = new Map<string, string[]>();
    await until(async () => (await this.#readScreens(shown)) >= this.#sum("sent"), {
      ...deadline,
      what: "every message on its phone",
    }).catch(this.#late);
    const received = new Map<string, string[]>();
    await until(async () => (await this.#readRows(received)) >= this.#sum("written"), {
      ...deadline,
      what: "every answer in Postgres",
    }).catch(this.#late);
    return this.#chats
      .flatMap(({ contact, sent, written }) => [
        compareChat(sent, shown.get(contact) ?? []),
        compareChat(written, received.get(contact) ?? []),
      ])
      .reduce(addComparisons, nothingCompared);
  }

  readonly #late = (error: unknown) => this.#stage.say(messageOf(error));
  readonly #sum = (which: "sent" | "written") => this.#chats.reduce((sum, chat) => sum + chat[which].length, 0);

  #tick(): void {
    const chat = this.#chats[this.#ticks % this.#chats.length]!;
    this.#ticks += 1;
    const [out, back] = [`out ${chat.sent.length}`, `back ${chat.written.length}`];
    chat.sent.push(out);
    chat.written.push(back);
    this.#inTurn(`sent ${chat.contact}`, () => this.#post(chat, out));
    this.#inTurn(
      `written ${chat.contact}`,
      async () => void (await this.#stage.simulator.write(chat.contact, chat.member.phone, back)),
    );
    if (this.#ticks % readEvery === 0) this.#inTurn("read", () => this.#read(chat.member.id));
  }

  #inTurn(lane: string, work: () => Promise<void>): void {
    const turn = (this.#turns.get(lane) ?? Promise.resolve()).then(work);
    this.#turns.set(lane, turn);
    this.#underWay.add(turn);
    void turn.finally(() => this.#underWay.delete(turn));
  }

  async #post({ member, contact }: Chat, text: string): Promise<void> {
    const key = `${contact}-${text.replace(" ", "-")}`;
    const request = () =>
      this.#stage.api(
        "POST",
        `/v1/businesses/${member.id}/messages`,
        { to: contact, type: "text", text },
        { "idempotency-key": key },
      );
    while (!(await this.#ask(request))) await Bun.sleep(repeatMs);
  }

  async #read(id: string): Promise<void> {
    await this.#ask(() => this.#stage.api("GET", `/v1/businesses/${id}/whatsapp`));
    await this.#ask(() => this.#stage.api("GET", `/v1/businesses/${id}/messages?limit=5`));
  }

  async #ask(request: () => Promise<unknown>): Promise<boolean> {
    this.requests += 1;
    try {
      await request().catch((error: unknown) => {
        // nginx closes idle connections when it takes a new configuration, and one may just have been used again. Clients
        // repeat what is safe to repeat (RFC 9112, 9.3.1): reads, and what has an idempotency key. All requests here are.
        if ((error as { code?: string }).code !== "ECONNRESET") throw error;
        this.repeated += 1;
        return request();
      });
      return true;
    } catch (error) {
      // Nonsense of our own would be repeated for ever.
      if (error instanceof HttpFailure && error.status < 429) throw error;
      this.failures.push(messageOf(error));
      if (this.failures.length <= 20) this.#stage.say(`a request failed: ${messageOf(error)}`);
      return false;
    }
  }

  async #readScreens(shown: Map<string, string[]>): Promise<number> {
    await eachOf(this.#chats, 4, async ({ contact }) => {
      const { data } = await this.#stage.simulator.screen(contact);
      shown.set(
        contact,
        data.map(({ text }) => text ?? ""),
      );
    });
    return total(shown);
  }

  async #readRows(received: Map<string, string[]>): Promise<number> {
    const members = new Map(this.#chats.map(({ member }) => [member.id, member]));
    await eachOf([...members.values()], 4, async ({ id, contacts }) => {
      const listing = `/v1/businesses/${id}/messages?direction=inbound&limit=200`;
      const rows = await allPages((cursor) =>
        this.#stage.api<Page<Row>>("GET", cursor === undefined ? listing : `${listing}&cursor=${cursor}`),
      );
      for (const contact of contacts)
        received.set(contact, inOrderOfWriting(rows.filter(({ chat }) => chat.startsWith(contact))));
    });
    return total(received);
  }
}

/** Rows that were written together have no order of their own, and count as in order. */
function inOrderOfWriting(rows: readonly Row[]): string[] {
  const number = ({ text = "" }: Row) => Number(text.split(" ")[1]);
  return rows
    .toSorted((a, b) => Date.parse(a.queued_at) - Date.parse(b.queued_at) || number(a) - number(b))
    .map(({ text = "" }) => text);
}

const total = (chats: ReadonlyMap<string, readonly string[]>): number =>
  [...chats.values()].reduce((sum, texts) => sum + texts.length, 0);
