import { decryptMediaRetryData, encryptMediaRetryRequest, proto } from "@whiskeysockets/baileys";
import type { BaileysEventMap } from "@whiskeysockets/baileys";
import type { ReuploadRequest } from "../../../lib/contracts/shard/media.ts";
import { query } from "../chats/query.ts";
import type { OpenSocket } from "../chats/query.ts";

const { SUCCESS } = proto.MediaRetryNotification.ResultType;

/**
 * Requests that the business's own phone uploads a file again that the host no longer has. The phone answers by a
 * notification if it is online. Resolves with the file's new path; null if the phone does not have it.
 * @throws AppError "upstream_timeout" if the phone does not answer.
 */
export async function reupload({ socket }: OpenSocket, request: ReuploadRequest): Promise<string | null> {
  const { wa_message_id: id, chat: remoteJid, from_me: fromMe, sender, media_key } = request;
  const me = socket.user?.id ?? "";
  const key = { id, remoteJid, fromMe, ...(sender && sender !== remoteJid ? { participant: sender } : {}) };
  const mediaKey = Buffer.from(media_key, "base64");
  const answer = Promise.withResolvers<string | null>();
  const heard = (updates: BaileysEventMap["messages.media-update"]) => {
    const update = updates.find(({ key: of }) => of.id === id);
    if (update) answer.resolve(pathIn(update, mediaKey, id));
  };
  socket.ev.on("messages.media-update", heard);
  try {
    return await query(socket.sendNode(encryptMediaRetryRequest(key, mediaKey, me)).then(() => answer.promise));
  } finally {
    socket.ev.off("messages.media-update", heard);
  }
}

function pathIn(
  { media }: BaileysEventMap["messages.media-update"][number],
  mediaKey: Buffer,
  id: string,
): string | null {
  if (!media) return null;
  try {
    const { result, directPath } = decryptMediaRetryData(media, mediaKey, id);
    return result === SUCCESS && directPath ? directPath : null;
  } catch {
    // The sender does not have the key.
    return null;
  }
}
