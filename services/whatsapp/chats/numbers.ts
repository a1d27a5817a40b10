import { AppError } from "../../../lib/core/errors.ts";
import type { CheckedNumber } from "../../../lib/contracts/shard/chats.ts";
import { query } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** Reports which numbers have a WhatsApp account, in their order. */
export async function checkNumbers({ socket }: OpenSocket, numbers: string[]): Promise<CheckedNumber[]> {
  const found = await query(socket.onWhatsApp(...new Set(numbers)));
  if (found === undefined)
    throw new AppError("unavailable", "WhatsApp did not say which numbers have an account.", { retryAfterS: 2 });
  // WhatsApp answers with the account's JID, which may spell the number differently.
  const accounts = new Map(found.filter(({ exists }) => exists).map(({ jid }) => [jid.split("@")[0], jid]));
  return numbers.map((number) => {
    const jid = accounts.get(number);
    return jid === undefined ? { number, on_whatsapp: false } : { number, on_whatsapp: true, jid };
  });
}
