import { proto } from "@whiskeysockets/baileys";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import { phoneJid } from "../wire/jid.ts";
import { messageId, post } from "./write.ts";

const { Type } = proto.Message.ProtocolMessage;
const { PeerDataOperationRequestType } = proto.Message;

type PeerRequest = { id: string; request: proto.IMessage };

/** Answers a companion that requests messages from its phone because it received them without content. */
export async function answerPeer(
  simulation: Simulation,
  { phone, device }: Login,
  { id, request }: PeerRequest,
): Promise<void> {
  const operation = request.protocolMessage?.peerDataOperationRequestMessage;
  const keys = (operation?.placeholderMessageResendRequest ?? []).flatMap(({ messageKey }) => messageKey ?? []);
  if (keys.length === 0) return;
  simulation.stats.placeholders_asked += keys.length;
  const results = keys.flatMap((key) => {
    const bytes = storedMessage(simulation, phone.phone, key);
    if (bytes === undefined) return [];
    simulation.ledger.record({ event: "resent", phone: phone.phone, id: key.id! });
    return [{ placeholderMessageResendResponse: { webMessageInfoBytes: bytes } }];
  });
  const content: proto.IMessage = {
    protocolMessage: {
      type: Type.PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
      peerDataOperationRequestResponseMessage: {
        peerDataOperationRequestType: PeerDataOperationRequestType.PLACEHOLDER_MESSAGE_RESEND,
        stanzaId: id,
        peerDataOperationResult: results,
      },
    },
  };
  await post(simulation, { from: phone, device, id: messageId(), timestamp: Date.now(), content, peer: true });
}

/** Encodes a message as phones store it: with the chat's phone number, and without the writer's name. */
function storedMessage(simulation: Simulation, receiver: string, key: proto.IMessageKey): Uint8Array | undefined {
  simulation.store.flush();
  const row = simulation.store.db
    .query<{ phone: string; content: Uint8Array; at: number }, [string, string]>(
      "SELECT phone, content, at FROM sent WHERE id = ? AND recipient = ?",
    )
    .get(key.id ?? "", receiver);
  if (!row) return undefined;
  return proto.WebMessageInfo.encode({
    key: { remoteJid: phoneJid(row.phone), fromMe: false, id: key.id },
    message: proto.Message.decode(row.content),
    messageTimestamp: Math.floor(row.at / 1000),
  }).finish();
}
