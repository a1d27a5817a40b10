/** What media WhatsApp knows, by how it is encrypted and shown. */
export const mediaKinds = ["image", "video", "audio", "document", "sticker"] as const;
export type MediaKind = (typeof mediaKinds)[number];

const mib = 1024 * 1024;

/** The largest that is taken of each kind, in either direction. */
export const maxBytes: Record<MediaKind, number> = {
  // What phones send after they have scaled a picture down is under 1 MB; cameras make up to 16.
  image: 16 * mib,
  // WhatsApp's own limits of these: 16 MB and 64 MB in chats, 100 MB for documents of its business platform.
  audio: 16 * mib,
  video: 64 * mib,
  document: 100 * mib,
  sticker: mib,
};

/** The largest of all. */
export const maxMediaBytes = Math.max(...Object.values(maxBytes));

/** What phones show of each kind; a document can be anything. */
const shown: Record<Exclude<MediaKind, "document">, ReadonlySet<string>> = {
  image: new Set(["image/jpeg", "image/png"]),
  video: new Set(["video/mp4", "video/3gpp"]),
  audio: new Set(["audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"]),
  sticker: new Set(["image/webp"]),
};

/** Why a file cannot be sent as this kind; undefined where it can. */
export function unfitFor(kind: MediaKind, { mime, size }: { mime: string; size: number }): string | undefined {
  if (kind !== "document" && !shown[kind].has(mime)) {
    return `WhatsApp shows no ${mime} as ${kind}: it takes ${[...shown[kind]].join(", ")}. Send it as a document.`;
  }
  if (size === 0) return "The file is empty.";
  if (size > maxBytes[kind])
    return `The file has ${size} bytes; of the kind ${kind} WhatsApp takes up to ${maxBytes[kind]}.`;
  return undefined;
}
