import { z } from "zod";

/**
 * Limits above which the server refuses a sender's messages. WhatsApp does not document its own limits; these have the
 * same form, with numbers that a test chooses.
 */
export const limitsSchema = z.strictObject({
  /** Messages of a sender; refused with 429 above it. */
  messages_per_minute: z.int().min(1).optional(),
  /** Chats that a sender starts; refused with 463 above it. An answer does not start a chat. */
  new_chats_per_minute: z.int().min(0).optional(),
});
export type LimitSettings = z.infer<typeof limitsSchema>;

const windowMs = 60_000;

type Sender = { messages: number[]; newChats: number[]; knownChats: Set<string> };

/** The active limits, and each sender's messages and new chats of the last minute. */
export class Limits {
  readonly #senders = new Map<string, Sender>();
  settings: LimitSettings = {};

  /** Counts a message. Returns the code to refuse it with; undefined if it is accepted. Refused messages count, too. */
  refuse(from: string, to: string, now = Date.now()): "429" | "463" | undefined {
    const { messages_per_minute, new_chats_per_minute } = this.settings;
    if (messages_per_minute === undefined && new_chats_per_minute === undefined) return undefined;
    const sender = this.#senderOf(from);
    const recent = (time: number) => time > now - windowMs;
    sender.messages = [...sender.messages.filter(recent), now];
    sender.newChats = sender.newChats.filter(recent);
    if (messages_per_minute !== undefined && sender.messages.length > messages_per_minute) return "429";
    if (sender.knownChats.has(to)) return undefined;
    sender.newChats.push(now);
    if (new_chats_per_minute !== undefined && sender.newChats.length > new_chats_per_minute) return "463";
    sender.knownChats.add(to);
    return undefined;
  }

  /** Records a message from `from`, so that an answer by `to` does not count as a new chat. */
  recordIncoming(from: string, to: string): void {
    this.#senderOf(to).knownChats.add(from);
  }

  #senderOf(phone: string): Sender {
    const known = this.#senders.get(phone) ?? { messages: [], newChats: [], knownChats: new Set() };
    this.#senders.set(phone, known);
    return known;
  }
}
