import { isJidGroup, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { ReadRequest } from "../../../lib/contracts/shard/chats.ts";
import { memberNames } from "../codec/member_names.ts";
import { query } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** Marks messages as read: for their writers, unless the business has read receipts off, and on its own phone. */
export async function markRead({ socket, groupOf }: OpenSocket, { chat, messages }: ReadRequest): Promise<void> {
  const names = isJidGroup(chat) ? memberNames(await query(groupOf(chat))) : undefined;
  const keys = messages.map(({ wa_message_id: id, sender }) => ({
    id,
    remoteJid: chat,
    fromMe: false,
    ...(names && sender ? { participant: names.get(jidNormalizedUser(sender)) ?? sender } : {}),
  }));
  await query(socket.readMessages(keys));
}
