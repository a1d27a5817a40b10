import { messageOf } from "../../../../lib/core/errors.ts";
import { until } from "../../../../lib/testing/until.ts";
import { HttpFailure } from "../../../cli/operator/http.ts";
import { allPages } from "../../../cli/operator/pages.ts";
import type { Page } from "../../../cli/operator/pages.ts";
import type { Comparison } from "../../rig/comparison.ts";
import { ChatLog, countTexts, screenTexts } from "../../rig/chat_log.ts";
import { addComparisons, compareChats } from "../../rig/comparison.ts";
import { SteadyLoad } from "../../rig/load.ts";
import type { Job } from "../../rig/load.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Member } from "./members.ts";
import type { Stage } from "./stage.ts";

type Row = { chat: string; text?: string; queued_at: string };

/** Pause before a failed request is retried under the same key, ms. */
const repeatMs = 200;

/** Every fifth message is followed by two reads. */
const readEvery = 5;

/** Businesses and their contacts that write to each other at a steady rate. */
export class Talk {
  readonly failures: string[] = [];
  requests = 0;
  repeated = 0;
  readonly #stage: Stage;
  readonly #members: readonly Member[];
  readonly #load: SteadyLoad;
  readonly #sent = new ChatLog();
  readonly #written = new ChatLog();

  /** `perMinute`: messages in each direction. */
  constructor(stage: Stage, members: readonly Member[], perMinute: number) {
    this.#stage = stage;
    this.#members = members;
    const chats = members.flatMap((member) => member.contacts.map((contact) => ({ member, contact })));
    this.#load = new SteadyLoad({
      perSecond: perMinute / 60,
      jobsAt: (n) => {
        const { member, contact } = chats[n % chats.length]!;
        const number = Math.floor(n / chats.length);
        const [out, back] = [`out ${number}`, `back ${number}`];
        this.#sent.add(contact, out);
        this.#written.add(contact, back);
        const jobs: Job[] = [
          { lane: `sent ${contact}`, run: () => this.#post(member, contact, out) },
          { lane: `written ${contact}`, run: () => stage.simulator.write(contact, member.phone, back) },
        ];
        if ((n + 1) % readEvery === 0) jobs.push({ lane: "read", run: () => this.#read(member.id) });
        return jobs;
      },
    });
  }

  get messages(): number {
    return this.#sent.count + this.#written.count;
  }

  start(): void {
    this.#load.start();
  }

  /** Stops writing; resolves when every written message is accepted. */
  stop(): Promise<void> {
    return this.#load.finish();
  }

  /** Waits for the last message at both ends and compares all of them by content and order. */
  async compare(deadlineMs: number): Promise<Comparison> {
    const deadline = { deadlineMs, everyMs: 500 };
    const late = (error: unknown) => this.#stage.say(messageOf(error));
    let shown = new Map<string, string[]>();
    const allShown = async () => {
      shown = await screenTexts(this.#stage.simulator, this.#sent.chats.keys());
      return countTexts(shown) >= this.#sent.count;
    };
    await until(allShown, { ...deadline, what: "every message on its phone" }).catch(late);
    let received = new Map<string, string[]>();
    const allReceived = async () => {
      received = await this.#readRows();
      return countTexts(received) >= this.#written.count;
    };
    await until(allReceived, { ...deadline, what: "every answer in Postgres" }).catch(late);
    return addComparisons(compareChats(this.#sent.chats, shown), compareChats(this.#written.chats, received));
  }

  async #post(member: Member, contact: string, text: string): Promise<void> {
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
        // nginx closes idle connections when it reloads its configuration, and a client may just have reused one.
        // Clients retry safe requests (RFC 9112, 9.3.1): reads, and those with an idempotency key. All requests here
        // are safe.
        if ((error as { code?: string }).code !== "ECONNRESET") throw error;
        this.repeated += 1;
        return request();
      });
      return true;
    } catch (error) {
      // A refused request would be retried endlessly.
      if (error instanceof HttpFailure && error.status < 429) throw error;
      this.failures.push(messageOf(error));
      if (this.failures.length <= 20) this.#stage.say(`a request failed: ${messageOf(error)}`);
      return false;
    }
  }

  async #readRows(): Promise<Map<string, string[]>> {
    const received = new Map<string, string[]>();
    await eachOf(this.#members, 4, async ({ id, contacts }) => {
      const listing = `/v1/businesses/${id}/messages?direction=inbound&limit=200`;
      const rows = await allPages((cursor) =>
        this.#stage.api<Page<Row>>("GET", cursor === undefined ? listing : `${listing}&cursor=${cursor}`),
      );
      for (const contact of contacts)
        received.set(contact, inOrderOfWriting(rows.filter(({ chat }) => chat.startsWith(contact))));
    });
    return received;
  }
}

/** Rows of one batch have the same time and count as ordered. */
function inOrderOfWriting(rows: readonly Row[]): string[] {
  const number = ({ text = "" }: Row) => Number(text.split(" ")[1]);
  return rows
    .toSorted((a, b) => Date.parse(a.queued_at) - Date.parse(b.queued_at) || number(a) - number(b))
    .map(({ text = "" }) => text);
}
