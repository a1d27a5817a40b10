import type { proto } from "@whiskeysockets/baileys";
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import { decrypted, encrypted, mediaKeys, mediaKinds, mediaPointer } from "../../../../lib/media/index.ts";
import type { MediaKind, MediaPointer } from "../../../../lib/media/index.ts";
import type { Attachment } from "../../../../lib/messages/index.ts";
import type { Simulation } from "../simulation.ts";

/** A file to send: its bytes, or a number of random bytes. */
const sentFile = z.object({
  type: z.enum(mediaKinds),
  media: z.looseObject({
    mime: z.string(),
    file: z.base64().optional(),
    random: z
      .int()
      .min(0)
      .max(128 * 1024 * 1024)
      .optional(),
  }),
});

/** Uploads the file of a message body to the media host and replaces it by a pointer. */
export async function withFile(
  { media: host }: Simulation,
  body: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const parsed = sentFile.safeParse(body);
  if (!parsed.success) return body;
  const { type, media } = parsed.data;
  const { file, random, ...rest } = media;
  if (file === undefined && random === undefined) return body;
  if (host === undefined)
    throw new AppError("unavailable", "The simulator has no media host; start it with a certificate.");
  const content = file === undefined ? randomBytes(random!) : Buffer.from(file, "base64");
  const pointer = await upload(type, content, (bytes) => host.put(bytes));
  return { ...body, media: { ...rest, pointer, size: content.length } };
}

async function upload(
  kind: MediaKind,
  content: Buffer,
  put: (bytes: Uint8Array<ArrayBuffer>) => Promise<string>,
): Promise<MediaPointer> {
  const mediaKey = randomBytes(32);
  const file = new Uint8Array(
    Buffer.concat(await Array.fromAsync(encrypted(once(content), mediaKeys(mediaKey, kind)))),
  );
  return {
    direct_path: await put(file),
    media_key: mediaKey.toString("base64"),
    file_sha256: createHash("sha256").update(content).digest("base64"),
    file_enc_sha256: createHash("sha256").update(file).digest("base64"),
    file_length: content.length,
    media_key_at: Math.floor(Date.now() / 1_000),
  };
}

/** Returns the fields of a message that describe its file. */
export function fileOf({ mime, pointer }: Attachment) {
  return {
    mimetype: mime,
    directPath: pointer?.direct_path,
    mediaKey: bytesOf(pointer?.media_key),
    fileSha256: bytesOf(pointer?.file_sha256),
    fileEncSha256: bytesOf(pointer?.file_enc_sha256),
    fileLength: pointer?.file_length,
    mediaKeyTimestamp: pointer?.media_key_at,
  };
}

const bytesOf = (base64: string | undefined) => (base64 === undefined ? undefined : Buffer.from(base64, "base64"));

/** Returns a message's file in the form of GET /phones/:phone/messages; undefined if it has none. */
export function fileIn(message: proto.IMessage) {
  const { imageMessage, videoMessage, audioMessage, documentMessage, stickerMessage } = message;
  const kinds = {
    image: imageMessage,
    video: videoMessage,
    audio: audioMessage,
    document: documentMessage,
    sticker: stickerMessage,
  };
  const kind = mediaKinds.find((one) => kinds[one]);
  const file =
    kind && (kinds[kind] as proto.Message.IVideoMessage & proto.Message.IDocumentMessage & proto.Message.IAudioMessage);
  if (!kind || !file) return undefined;
  const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString("base64");
  return {
    type: kind,
    ...(file.caption ? { text: file.caption } : {}),
    media: {
      kind,
      mime: file.mimetype,
      file_name: file.fileName,
      voice: file.ptt,
      seconds: file.seconds,
      width: file.width,
      height: file.height,
      has_preview: (file.jpegThumbnail?.length ?? 0) > 0,
      pointer: {
        direct_path: file.directPath,
        media_key: base64(file.mediaKey),
        file_sha256: base64(file.fileSha256),
        file_enc_sha256: base64(file.fileEncSha256),
        file_length: Number(file.fileLength ?? 0),
      },
    },
  };
}

const shownFile = z.object({ kind: z.enum(mediaKinds), pointer: mediaPointer });

/** Downloads and decrypts a file as phones do. Throws if the file does not match its message. */
export async function openFile({ media: host }: Simulation, shown: unknown): Promise<Buffer<ArrayBuffer>> {
  const parsed = shownFile.safeParse(shown);
  const file = parsed.data && (await host?.get(parsed.data.pointer.direct_path));
  if (!parsed.data || !file) throw new AppError("not_found", "The phone has no such message with a file.");
  const { kind, pointer } = parsed.data;
  const expected = {
    keys: mediaKeys(Buffer.from(pointer.media_key, "base64"), kind),
    fileSha256: Buffer.from(pointer.file_sha256, "base64"),
    fileEncSha256: Buffer.from(pointer.file_enc_sha256, "base64"),
    maxBytes: Number.POSITIVE_INFINITY,
  };
  return Buffer.concat(await Array.fromAsync(decrypted(file.stream(), expected)));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
