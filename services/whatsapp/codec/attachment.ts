import type { proto } from "@whiskeysockets/baileys";
import { mediaPointer } from "../../../lib/media/index.ts";
import type { Attachment } from "../../../lib/messages/index.ts";

/** The fields that messages with a file share, as their senders may have written them. */
type File = Pick<
  proto.Message.IImageMessage & proto.Message.IVideoMessage,
  | "mimetype"
  | "directPath"
  | "url"
  | "mediaKey"
  | "fileSha256"
  | "fileEncSha256"
  | "fileLength"
  | "mediaKeyTimestamp"
  | "width"
  | "height"
  | "seconds"
>;

/** The file of a message. `error: "unreadable"` if it lacks its location or its keys. */
export function attachmentOf(file: Partial<File> | null | undefined): { media: Attachment } {
  const at = Number(file?.mediaKeyTimestamp ?? 0);
  const pointer = mediaPointer.safeParse({
    direct_path: file?.directPath || pathOf(file?.url),
    media_key: base64(file?.mediaKey),
    file_sha256: base64(file?.fileSha256),
    file_enc_sha256: base64(file?.fileEncSha256),
    file_length: Number(file?.fileLength ?? 0),
    ...(at > 0 ? { media_key_at: at } : {}),
  }).data;
  return {
    media: {
      // Only Opus adds a parameter after the semicolon, and the content says it too.
      mime: file?.mimetype?.split(";")[0]?.trim() || "application/octet-stream",
      ...(pointer ? { size: pointer.file_length, pointer } : { error: "unreadable" }),
      ...whole("width", file?.width),
      ...whole("height", file?.height),
      ...whole("seconds", file?.seconds),
    },
  };
}

/** The fields that refer to a file in an outgoing message. */
export function fileOf({ mime, pointer, preview, width, height }: Attachment) {
  if (pointer === undefined) throw new TypeError("a file that is not on WhatsApp's media host cannot be sent");
  return {
    mimetype: mime,
    url: `https://mmg.whatsapp.net${pointer.direct_path}`,
    directPath: pointer.direct_path,
    mediaKey: Buffer.from(pointer.media_key, "base64"),
    fileSha256: Buffer.from(pointer.file_sha256, "base64"),
    fileEncSha256: Buffer.from(pointer.file_enc_sha256, "base64"),
    fileLength: pointer.file_length,
    mediaKeyTimestamp: pointer.media_key_at ?? null,
    ...(preview ? { jpegThumbnail: Buffer.from(preview, "base64") } : {}),
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
  };
}

const base64 = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString("base64") : undefined);

/** Paths of more than 2,048 characters are refused. */
const maxUrl = 4_096;

function pathOf(url: string | null | undefined): string | undefined {
  if (!url || url.length > maxUrl || !URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function whole<K extends string>(name: K, value: number | null | undefined): Partial<Record<K, number>> {
  return typeof value === "number" && Number.isInteger(value) && value > 0
    ? ({ [name]: value } as Record<K, number>)
    : {};
}
