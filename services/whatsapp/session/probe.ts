import { jidNormalizedUser, proto } from "@whiskeysockets/baileys";
import type { Contact, WASocket } from "@whiskeysockets/baileys";

const { APP_STATE_SYNC_KEY_REQUEST } = proto.Message.ProtocolMessage.Type;

/**
 * Sends the account's own phone a message that requests nothing and shows in no chat. WhatsApp acknowledges it like any
 * other, unless it delivers nothing to this connection.
 */
export async function sendProbe(socket: Pick<WASocket, "relayMessage">, me: Contact | undefined): Promise<void> {
  if (me === undefined) return;
  const probe = { protocolMessage: { type: APP_STATE_SYNC_KEY_REQUEST, appStateSyncKeyRequest: { keyIds: [] } } };
  await socket.relayMessage(jidNormalizedUser(me.id), probe, { additionalAttributes: { category: "peer" } });
}
