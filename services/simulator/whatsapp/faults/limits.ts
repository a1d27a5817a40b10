import { z } from "zod";

/**
 * How much a sender may do before the server refuses its messages. WhatsApp says nothing of its own limits; these have
 * their form, and numbers that a test chooses.
 */
export const limitsSchema = z.strictObject({
  /** Above it: refused with 429. */
  messages_per_minute: z.int().min(1).optional(),
  /** Chats that a sender begins: above it, refused with 463. An answer to somebody who wrote begins none. */
  new_chats_per_minute: z.int().min(0).optional(),
});
export type LimitSettings = z.infer<typeof limitsSchema>;

const windowMs = 60_000;

type Sender = { messages: number[]; begun: number[]; acquainted: Set<string> };

/** The limits in force, and what each sender has done in the last minute. */
export class Limits {
  readonly #senders = new Map<string, Sender>();
  settings: LimitSettings = {};

  /** The code with which a message is refused; undefined where it may pass. What is refused counts too. */
  refuse(from: string, to: string, now = Date.now()): "429" | "463" | undefined {
    const { messages_per_minute, new_chats_per_minute } = this.settings;
    if (messages_per_minute === undefined && new_chats_per_minute === undefined) return undefined;
    const sender = this.#senderOf(from);
    const recent = (time: number) => time > now - windowMs;
    sender.messages = [...sender.messages.filter(recent), now];
    sender.begun = sender.begun.filter(recent);
    if (messages_per_minute !== undefined && sender.messages.length > messages_per_minute) return "429";
    if (sender.acquainted.has(to)) return undefined;
    sender.begun.push(now);
    if (new_chats_per_minute !== undefined && sender.begun.length > new_chats_per_minute) return "463";
    sender.acquainted.add(to);
    return undefined;
  }

  /** Somebody wrote to a number: to answer is not to begin a chat. */
  acquaint(from: string, to: string): void {
    this.#senderOf(to).acquainted.add(from);
  }

  #senderOf(phone: string): Sender {
    const known = this.#senders.get(phone) ?? { messages: [], begun: [], acquainted: new Set() };
    this.#senders.set(phone, known);
    return known;
  }
}
