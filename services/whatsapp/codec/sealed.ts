import { proto } from "@whiskeysockets/baileys";
import { createDecipheriv, hkdfSync } from "node:crypto";

/** The purposes of sealed content. Each is part of its key. */
export type SealedUse = "Message Edit" | "Poll Edit" | "Event Edit" | "Enc Reaction";

type Box = { encPayload?: Uint8Array | null; encIv?: Uint8Array | null };

export type SealedContext = {
  use: SealedUse;
  /** The message that the content is about. */
  id: string;
  secret: Uint8Array;
  /** The JIDs of that message's author and of this one's. The key names one of each, and nothing says which. */
  authors: readonly string[];
  writers: readonly string[];
};

const tagBytes = 16;
const ivBytes = 12;

/** Opens content that its writer sealed under the secret of an earlier message; undefined if no key fits. */
export function openSealed(box: Box, { use, id, secret, authors, writers }: SealedContext): Uint8Array | undefined {
  const { encPayload, encIv } = box;
  if (!encPayload || encPayload.length < tagBytes || encIv?.length !== ivBytes) return undefined;
  for (const author of authors) {
    for (const writer of writers) {
      const key = new Uint8Array(hkdfSync("sha256", secret, "", `${id}${author}${writer}${use}`, 32));
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, encIv);
        decipher.setAuthTag(encPayload.subarray(-tagBytes));
        return Buffer.concat([decipher.update(encPayload.subarray(0, -tagBytes)), decipher.final()]);
      } catch {
        // Derived from other JIDs.
      }
    }
  }
  return undefined;
}

/** By SecretEncType; Baileys' definition ends at 2. */
const uses: Record<number, SealedUse | undefined> = { 1: "Event Edit", 2: "Message Edit", 4: "Poll Edit" };

export const useOf = ({ secretEncType }: proto.Message.ISecretEncryptedMessage): SealedUse | undefined =>
  uses[Number(secretEncType)];

/** The new content in a sealed edit. Phones seal it alone, or in the protocol message of an open edit. */
export function editedContent(plaintext: Uint8Array): proto.IMessage | undefined {
  try {
    const message = proto.Message.decode(plaintext);
    const change = message.protocolMessage ?? message.editedMessage?.message?.protocolMessage;
    return change ? (change.editedMessage ?? undefined) : message;
  } catch {
    return undefined;
  }
}
