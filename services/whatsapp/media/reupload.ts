import {
  decryptMediaRetryData,
  encryptMediaRetryRequest,
  isJidGroup,
  jidNormalizedUser,
  proto,
} from "@whiskeysockets/baileys";
import type { BaileysEventMap } from "@whiskeysockets/baileys";
import type { ReuploadRequest } from "../../../lib/contracts/shard/media.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { memberNames } from "../codec/member_names.ts";
import { query } from "../chats/query.ts";
import type { OpenSocket } from "../chats/query.ts";

const { SUCCESS } = proto.MediaRetryNotification.ResultType;

/**
 * Requests that the business's own phone uploads a file again that the host no longer has. The phone answers by a
 * notification if it is online. Resolves with the file's new path; null if the phone does not have it.
 * @throws AppError "upstream_timeout" if the phone does not answer, "unavailable" if its answer cannot be decrypted.
 */
export async function reupload({ socket, groupOf }: OpenSocket, request: ReuploadRequest): Promise<string | null> {
  const { wa_message_id: id, chat: remoteJid, from_me: fromMe, sender, media_key } = request;
  const me = socket.user?.id ?? "";
  // The phone finds the message under the JID that the group uses; the database may have the member's number.
  const names = sender && isJidGroup(remoteJid) ? memberNames(await query(groupOf(remoteJid))) : undefined;
  const participant = sender && (names?.get(jidNormalizedUser(sender)) ?? sender);
  const key = { id, remoteJid, fromMe, ...(participant && participant !== remoteJid ? { participant } : {}) };
  const mediaKey = Buffer.from(media_key, "base64");
  const answer = Promise.withResolvers<Update>();
  const heard = (updates: BaileysEventMap["messages.media-update"]) => {
    const update = updates.find(({ key: of }) => of.id === id);
    if (update) answer.resolve(update);
  };
  socket.ev.on("messages.media-update", heard);
  try {
    const retry = encryptMediaRetryRequest(key, mediaKey, me);
    return pathIn(await query(socket.sendNode(retry).then(() => answer.promise)), mediaKey, id);
  } finally {
    socket.ev.off("messages.media-update", heard);
  }
}

type Update = BaileysEventMap["messages.media-update"][number];

function pathIn({ media }: Update, mediaKey: Buffer, id: string): string | null {
  if (!media) return null;
  try {
    const { result, directPath } = decryptMediaRetryData(media, mediaKey, id);
    return result === SUCCESS && directPath ? directPath : null;
  } catch (error) {
    // The phone may still have the file.
    const detail = `The phone's answer cannot be decrypted: ${messageOf(error)}. Retry.`;
    throw new AppError("unavailable", detail, { cause: error, retryAfterS: 60 });
  }
}
