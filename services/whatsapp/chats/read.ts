import { isJidGroup, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { ReadRequest } from "../../../lib/contracts/shard/chats.ts";
import { memberNames } from "../codec/member_names.ts";
import { ask } from "./line.ts";
import type { Line } from "./line.ts";

/** Ticks messages as read: for their writers, unless the business has read receipts off, and on its own phone. */
export async function markRead({ socket, groupOf }: Line, { chat, messages }: ReadRequest): Promise<void> {
  const names = isJidGroup(chat) ? memberNames(await ask(groupOf(chat))) : undefined;
  const keys = messages.map(({ wa_message_id: id, sender }) => ({
    id,
    remoteJid: chat,
    fromMe: false,
    ...(names && sender ? { participant: names.get(jidNormalizedUser(sender)) ?? sender } : {}),
  }));
  await ask(socket.readMessages(keys));
}
