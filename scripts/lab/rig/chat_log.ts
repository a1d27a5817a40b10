import { eachOf } from "./pairing.ts";
import type { SimulatorControl } from "./simulator.ts";

/** Texts of each chat in order. A chat is named by its contact, who writes with one business only. */
export class ChatLog {
  readonly #chats = new Map<string, string[]>();

  add(contact: string, text: string): void {
    const texts = this.#chats.get(contact);
    if (texts === undefined) this.#chats.set(contact, [text]);
    else texts.push(text);
  }

  get chats(): ReadonlyMap<string, readonly string[]> {
    return this.#chats;
  }

  get count(): number {
    return countTexts(this.#chats);
  }
}

/** Messages by their id, as in Postgres: one that arrives again under a known id is the same row. */
export class ReceivedLog {
  readonly #chats = new Map<string, Map<string, string>>();

  add(contact: string, id: string, text: string): void {
    const chat = this.#chats.get(contact) ?? new Map<string, string>();
    this.#chats.set(contact, chat);
    if (!chat.has(id)) chat.set(id, text);
  }

  get chats(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#chats].map(([contact, texts]) => [contact, [...texts.values()]]));
  }

  get count(): number {
    return [...this.#chats.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

/** The received texts that the phone of each contact shows. */
export async function screenTexts(
  simulator: SimulatorControl,
  contacts: Iterable<string>,
): Promise<Map<string, string[]>> {
  const shown = new Map<string, string[]>();
  await eachOf([...contacts], 16, async (contact) => {
    const { data } = await simulator.screen(contact);
    shown.set(
      contact,
      data.filter(({ from_me }) => !from_me).map(({ text }) => text ?? ""),
    );
  });
  return shown;
}

export const countTexts = (chats: ReadonlyMap<string, readonly string[]>): number =>
  [...chats.values()].reduce((sum, texts) => sum + texts.length, 0);

/** The contact of a chat's JID. */
export const contactOf = (chat: string): string => chat.slice(0, chat.indexOf("@"));
