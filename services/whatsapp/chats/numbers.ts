import { AppError } from "../../../lib/core/errors.ts";
import type { CheckedNumber } from "../../../lib/contracts/shard/chats.ts";
import { askAccounts } from "../accounts/ask_accounts.ts";
import { phoneJid } from "../codec/jid.ts";
import { query } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** Reports which numbers have a WhatsApp account, in their order, and the accounts' JIDs as WhatsApp spells them. */
export async function checkNumbers({ socket, accounts }: OpenSocket, numbers: string[]): Promise<CheckedNumber[]> {
  const found = await query(askAccounts(socket, numbers));
  if (found === undefined)
    throw new AppError("unavailable", "WhatsApp did not say which numbers have an account.", { retryAfterS: 2 });
  return numbers.map((number) => {
    const jid = found.get(number) ?? undefined;
    if (jid === undefined) return { number, on_whatsapp: false };
    accounts.respelled(phoneJid(number), jid);
    return { number, on_whatsapp: true, jid };
  });
}
