/** WhatsApp's kinds of media, which differ in their encryption keys and in how phones show them. */
export const mediaKinds = ["image", "video", "audio", "document", "sticker"] as const;
export type MediaKind = (typeof mediaKinds)[number];

const mib = 1024 * 1024;

/** The size limit of each kind in bytes, in either direction. */
export const maxBytes: Record<MediaKind, number> = {
  // Phones scale a picture down to less than 1 MB before they send it; cameras make up to 16 MB.
  image: 16 * mib,
  // WhatsApp's own limits: 16 MB and 64 MB in chats, 100 MB for documents of its business platform.
  audio: 16 * mib,
  video: 64 * mib,
  document: 100 * mib,
  sticker: mib,
};

/** The largest size limit of all kinds. */
export const maxMediaBytes = Math.max(...Object.values(maxBytes));

/** Media types that phones show as each kind. A document can have any type. */
const shown: Record<Exclude<MediaKind, "document">, ReadonlySet<string>> = {
  image: new Set(["image/jpeg", "image/png"]),
  video: new Set(["video/mp4", "video/3gpp"]),
  audio: new Set(["audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"]),
  sticker: new Set(["image/webp"]),
};

/** Returns why a file cannot be sent as this kind; undefined if it can. */
export function unfitFor(kind: MediaKind, { mime, size }: { mime: string; size: number }): string | undefined {
  if (kind !== "document" && !shown[kind].has(mime)) {
    return (
      `WhatsApp does not support ${mime} as ${kind}; it supports ${[...shown[kind]].join(", ")}. ` +
      `Send the file as a document.`
    );
  }
  if (size === 0) return "The file is empty.";
  if (size > maxBytes[kind]) return `The file has ${size} bytes; the limit for the kind ${kind} is ${maxBytes[kind]}.`;
  return undefined;
}
