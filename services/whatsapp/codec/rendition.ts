import { proto } from "@whiskeysockets/baileys";
import { unwrapped } from "./unwrap.ts";

const { HD_VIDEO_DUAL_UPLOAD, HD_IMAGE_DUAL_UPLOAD, HEVC_VIDEO_DUAL_UPLOAD, MOTION_PHOTO } =
  proto.MessageAssociation.AssociationType;

/** Associations of a second file of the same photo or video. A picture of an album is a message of its own. */
const renditions: ReadonlySet<number> = new Set([
  HD_VIDEO_DUAL_UPLOAD,
  HD_IMAGE_DUAL_UPLOAD,
  HEVC_VIDEO_DUAL_UPLOAD,
  MOTION_PHOTO,
]);

/**
 * The id of the message of which this one is another rendition: a photo or video in HD, or the moving part of a photo.
 * Undefined for other messages. `messages`: the message and those around it, any of which may name its parent.
 */
export function parentOfRendition(messages: readonly proto.IMessage[]): string | undefined {
  const all = messages.flatMap((message) => [message, unwrapped(message).content]);
  if (!all.some(({ imageMessage, videoMessage }) => imageMessage || videoMessage)) return undefined;
  for (const { messageContextInfo } of all) {
    const { associationType, parentMessageKey } = messageContextInfo?.messageAssociation ?? {};
    if (associationType != null && renditions.has(associationType) && parentMessageKey?.id) return parentMessageKey.id;
  }
  return undefined;
}
