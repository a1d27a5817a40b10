import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { deflateSync } from "node:zlib";
import { appStateOf } from "../app_state/app_state.ts";
import { encodedSalt } from "../phones/contact_salt.ts";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";
import { post } from "./write.ts";

const { Type } = proto.Message.ProtocolMessage;
const { HistorySyncType } = proto.Message;

const sync = (
  syncType: proto.Message.HistorySyncType,
  history: proto.IHistorySync,
  salt: Uint8Array = Buffer.alloc(0),
): proto.IMessage => ({
  protocolMessage: {
    type: Type.HISTORY_SYNC_NOTIFICATION,
    historySyncNotification: {
      syncType,
      chunkOrder: 1,
      progress: 100,
      initialHistBootstrapInlinePayload: deflateSync(
        Buffer.concat([
          proto.HistorySync.encode(proto.HistorySync.fromObject({ syncType, progress: 100, ...history })).finish(),
          salt,
        ]),
      ),
    },
  },
});

/** The chats with contacts who gave the phone a privacy token. Their messages are not simulated. */
function conversationsOf({ phones }: Simulation, phone: Phone): proto.IConversation[] {
  return phones.all().flatMap((contact) => {
    const given = contact.tokens[phone.phone];
    if (given === undefined) return [];
    const tcToken = Buffer.from(given.token, "base64");
    const names = { id: phoneJid(contact.phone), lidJid: lidJid(contact.lid) };
    return [{ ...names, tcToken, tcTokenTimestamp: given.t, messages: [] }];
  });
}

/**
 * Sends a new companion, once, a key for the app state and a history without messages. A client that syncs history
 * buffers its events until the history arrives, or for 20 s.
 */
export async function shareHistory(simulation: Simulation, { phone, device }: Login): Promise<void> {
  if (device.state.synced) return;
  device.update({ synced: true });
  const state = appStateOf(phone);
  const key: proto.IMessage = {
    protocolMessage: {
      type: Type.APP_STATE_SYNC_KEY_SHARE,
      appStateSyncKeyShare: {
        keys: [
          {
            keyId: { keyId: Buffer.from(state.keyId, "base64") },
            keyData: {
              keyData: Buffer.from(state.key, "base64"),
              timestamp: Date.now(),
              fingerprint: { rawId: 1, currentIndex: 0, deviceIndexes: [0, device.id] },
            },
          },
        ],
      },
    },
  };
  const conversations = conversationsOf(simulation, phone);
  const bootstrap = sync(HistorySyncType.INITIAL_BOOTSTRAP, { conversations }, encodedSalt(phone));
  const recent = sync(HistorySyncType.RECENT, { conversations: [] });
  for (const content of [key, bootstrap, recent]) {
    const id = randomBytes(9).toString("hex").toUpperCase();
    await post(simulation, { from: phone, device, id, timestamp: Date.now(), content, peer: true });
  }
}
