import { normalizeMessageContent, proto } from "@whiskeysockets/baileys";
import { createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, node, server } from "../wire/stanza.ts";
import { fileIn } from "./file.ts";

const { SUCCESS, NOT_FOUND } = proto.MediaRetryNotification.ResultType;

/** Answers a companion that could not download a file: its phone uploads the file again and reports the new path. */
export async function uploadAgain(
  simulation: Simulation,
  { phone, device }: Login,
  receipt: BinaryNode,
): Promise<void> {
  const { id } = receipt.attrs;
  if (!id) return;
  simulation.store.flush();
  // The phone has all messages that it received or sent.
  const sent = simulation.store.db
    .query<{ content: Uint8Array }, [string, string, string]>(
      "SELECT content FROM sent WHERE id = ? AND (phone = ? OR recipient = ?)",
    )
    .get(id, phone.phone, phone.phone);
  const message = sent ? normalizeMessageContent(proto.Message.decode(sent.content)) : undefined;
  const pointer = message && fileIn(message)?.media.pointer;
  const file = pointer?.direct_path ? await simulation.media?.get(pointer.direct_path) : undefined;
  const directPath = file && (await simulation.media!.put(await file.bytes()));
  const answer = { stanzaId: id, result: directPath ? SUCCESS : NOT_FOUND, ...(directPath ? { directPath } : {}) };
  const rmr = child(receipt, "rmr")?.attrs ?? {};
  device.mailbox.put(
    node("notification", { from: server, type: "mediaretry", id }, [
      ...(pointer ? [sealed(answer, Buffer.from(pointer.media_key, "base64"), id)] : [node("error", { code: "2" })]),
      node("rmr", rmr),
    ]),
  );
}

function sealed(answer: proto.IMediaRetryNotification, mediaKey: Buffer, id: string): BinaryNode {
  const key = Buffer.from(hkdfSync("sha256", mediaKey, new Uint8Array(), "WhatsApp Media Retry Notification", 32));
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(id));
  const plaintext = proto.MediaRetryNotification.encode(answer).finish();
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return node("encrypt", {}, [node("enc_p", {}, ciphertext), node("enc_iv", {}, iv)]);
}
