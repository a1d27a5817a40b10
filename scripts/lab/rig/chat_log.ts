import type { BatchMessage, JournalEntry } from "../../../lib/contracts/shard/index.ts";
import type { Comparison } from "./comparison.ts";
import { addComparisons, compareChat, nothingCompared } from "./comparison.ts";
import { textTo } from "./courier.ts";
import type { Business } from "./pairing.ts";
import type { SimulatorControl } from "./simulator.ts";

/**
 * What was written in each chat at both ends, and what arrived. A chat is named by its contact, who writes with one
 * business only.
 */
export class Books {
  readonly #sent = new Map<string, string[]>();
  readonly #written = new Map<string, string[]>();
  /** By message id, as in Postgres: what comes from the journal again with an id that is known is one row there. */
  readonly #received = new Map<string, Map<string, string>>();

  /** A message that a business is going to send. */
  send(to: string, text: string): BatchMessage {
    append(this.#sent, to, text);
    return textTo(to, text);
  }

  /** A contact writes to its business. One at a time in a chat. */
  async write(simulator: SimulatorControl, from: string, { phone }: Business, text: string): Promise<void> {
    append(this.#written, from, text);
    await simulator.write(from, phone, text);
  }

  /** What the journal gave. */
  receive(entries: readonly JournalEntry<"inbound">[]): void {
    for (const { data } of entries) {
      const contact = data.chat.slice(0, data.chat.indexOf("@"));
      const chat = this.#received.get(contact) ?? new Map<string, string>();
      this.#received.set(contact, chat);
      if (!chat.has(data.wa_message_id)) chat.set(data.wa_message_id, data.text ?? "");
    }
  }

  get received(): number {
    return [...this.#received.values()].reduce((sum, chat) => sum + chat.size, 0);
  }

  get written(): number {
    return total(this.#written);
  }

  /** What the contacts' phones show, beside what was sent to them. */
  async compareSent(simulator: SimulatorControl): Promise<Comparison> {
    let sum = nothingCompared;
    for (const [contact, texts] of this.#sent) {
      const { data: shown } = await simulator.screen(contact);
      sum = addComparisons(
        sum,
        compareChat(
          texts,
          shown.map(({ text }) => text ?? ""),
        ),
      );
    }
    return sum;
  }

  compareReceived(): Comparison {
    let sum = nothingCompared;
    for (const contact of new Set([...this.#written.keys(), ...this.#received.keys()])) {
      sum = addComparisons(
        sum,
        compareChat(this.#written.get(contact) ?? [], [...(this.#received.get(contact)?.values() ?? [])]),
      );
    }
    return sum;
  }
}

function append(chats: Map<string, string[]>, contact: string, text: string): void {
  const texts = chats.get(contact);
  if (texts === undefined) chats.set(contact, [text]);
  else texts.push(text);
}

function total(chats: ReadonlyMap<string, string[]>): number {
  return [...chats.values()].reduce((sum, texts) => sum + texts.length, 0);
}
