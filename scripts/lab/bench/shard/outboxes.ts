import type { ChatLog } from "../../rig/chat_log.ts";
import { textTo } from "../../rig/batch_sender.ts";
import type { Outbox } from "../../rig/batch_sender.ts";
import { textOf } from "../../rig/text.ts";
import type { Business } from "../../rig/pairing.ts";

/** An outbox of `each` texts for each business, spread over its contacts. Records them in `sent`. */
export function textOutboxes(
  businesses: readonly Business[],
  { label, each, sent }: { label: string; each: number; sent: ChatLog },
): Outbox[] {
  return businesses.map(({ id, phone, contacts }) => ({
    business: id,
    messages: Array.from({ length: each }, (_, i) => {
      const to = contacts[i % contacts.length]!;
      const text = textOf(label, phone, i);
      sent.add(to, text);
      return textTo(to, text);
    }),
  }));
}
