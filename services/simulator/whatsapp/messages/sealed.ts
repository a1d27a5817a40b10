import { proto } from "@whiskeysockets/baileys";
import { createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import { z } from "zod";
import { AppError } from "../../../../lib/core/errors.ts";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";

/**
 * How a phone seals an edit.
 *   names   the form of both JIDs in the key
 *   plain   what is sealed: the protocol message of the edit, or the new content alone
 */
export const sealing = z.strictObject({
  names: z.enum(["lid", "number"]).default("number"),
  plain: z.enum(["edit", "content"]).default("edit"),
});
export type Sealing = z.output<typeof sealing>;

/** Values of SecretEncType; Baileys' definition lacks the last. */
const eventEdit = 1;
const messageEdit = 2;
const pollEdit = 4;

/** Seals an edit under the secret of the original, as phones of 2026 do. Any recipient of the original knows it. */
export function sealEdit(
  simulation: Simulation,
  from: Phone,
  edit: proto.IMessage,
  { names, plain }: Sealing,
): proto.IMessage {
  const change = edit.editedMessage?.message?.protocolMessage;
  const id = change?.key?.id;
  if (!change?.editedMessage || !id) throw new AppError("invalid_request", "Only an edit can be sealed.");
  const original = originalOf(simulation, id);
  const secret = original.message.messageContextInfo?.messageSecret;
  if (!secret) throw new AppError("conflict", "The original has no secret.");
  const name = (phone: Phone) => (names === "lid" ? lidJid(phone.lid) : phoneJid(phone.phone));
  const { pollCreationMessage, eventMessage } = change.editedMessage;
  const [secretEncType, use] = pollCreationMessage
    ? [pollEdit, "Poll Edit"]
    : eventMessage
      ? [eventEdit, "Event Edit"]
      : [messageEdit, "Message Edit"];
  const info = `${id}${name(original.author)}${name(from)}${use}`;
  const encIv = randomBytes(12);
  const key = new Uint8Array(hkdfSync("sha256", secret, "", info, 32));
  const cipher = createCipheriv("aes-256-gcm", key, encIv);
  const content = plain === "edit" ? { protocolMessage: change } : change.editedMessage;
  const encPayload = Buffer.concat([
    cipher.update(proto.Message.encode(content).finish()),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return {
    // From an object, because Baileys' type lacks the value of polls.
    secretEncryptedMessage: proto.Message.SecretEncryptedMessage.fromObject({
      targetMessageKey: change.key,
      encPayload,
      encIv,
      secretEncType,
    }),
  };
}

function originalOf({ phones, store }: Simulation, id: string): { author: Phone; message: proto.IMessage } {
  store.flush();
  const row = store.db
    .query<{ phone: string; content: Uint8Array }, [string]>("SELECT phone, content FROM sent WHERE id = ?")
    .get(id);
  const author = row && phones.get(row.phone);
  if (!author) throw new AppError("not_found", "No phone wrote the original.");
  return { author, message: proto.Message.decode(row.content) };
}
