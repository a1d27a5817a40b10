import type { proto } from "@whiskeysockets/baileys";
import { messageOf } from "../../../../lib/core/errors.ts";
import type { Phone } from "../phones/phone.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import { userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node, nowS, uint } from "../wire/stanza.ts";
import type { Content } from "./content.ts";
import { contentOf, unpad } from "./content.ts";
import { answerPeer } from "./placeholder.ts";
import { editAttribute } from "./write.ts";

export type Envelope = {
  id: string;
  /** The JID that the client wrote to. */
  to: string;
  enc: BinaryNode;
  /** The message's stanza. */
  stanza: BinaryNode;
  sender: Login;
  /** Unix ms at which the server received it. */
  at: number;
  /** A protocol message of a companion to its own phone, which is not shown. */
  peer?: boolean;
};

export type ShowResult = "shown" | "duplicate" | "undecryptable" | "ignored";

/** Decrypts a companion's message on a phone and shows it. Deduplicates by message id. */
export async function showMessage(simulation: Simulation, phone: Phone, envelope: Envelope): Promise<ShowResult> {
  const { phones, stats, logger } = simulation;
  const { phone: from, device } = envelope.sender;
  const address = deviceAddress(from.phone, device.id);
  let plaintext: Buffer;
  try {
    const ciphertext = Buffer.from(envelope.enc.content as Uint8Array);
    plaintext = await phone.signal.decrypt(address, envelope.enc.attrs["type"] ?? "", ciphertext);
  } catch (error) {
    // A message that was shown before counts as a duplicate: its key has been consumed.
    if (phone.screen.has(from.phone, envelope.id)) {
      phone.screen.duplicates += 1;
      stats.duplicates_dropped += 1;
      return "duplicate";
    }
    phone.screen.undecryptable += 1;
    stats.undecryptable += 1;
    logger.warn(
      { phone: phone.phone, sender: from.phone, id: envelope.id, error: messageOf(error) },
      "a phone cannot decrypt a message",
    );
    requestRetry(phone, { id: envelope.id, sender: envelope.sender, from: envelope.to });
    return "undecryptable";
  }
  const message = unpad(plaintext);
  const own = message.deviceSentMessage;
  if (envelope.peer) {
    await answerPeer(simulation, envelope.sender, { id: envelope.id, request: own?.message ?? message });
    return "shown";
  }
  if (isUndeclared(own?.message ?? message, envelope.stanza)) return ignore(simulation, phone, envelope.id);
  const content: Content = contentOf(own?.message ?? message);
  const destination = userAddress(own?.destinationJid ?? undefined);
  const chat = own ? ((destination && phones.at(destination)?.phone) ?? own.destinationJid ?? "") : from.phone;
  const shown = phone.screen.show({
    id: envelope.id,
    chat,
    sender: from.phone,
    from_me: from === phone,
    push_name: from.name,
    ...content,
    timestamp: envelope.at,
  });
  if (shown) stats.messages_shown += 1;
  else stats.duplicates_dropped += 1;
  return shown ? "shown" : "duplicate";
}

/** True for an edit or a deletion whose stanza is one of a new message. */
export function isUndeclared(message: proto.IMessage, { attrs }: BinaryNode): boolean {
  const expected = editAttribute(message);
  return expected !== undefined && attrs["edit"] !== expected;
}

/** A phone ignores a message. */
export function ignore({ logger }: Simulation, phone: Phone, id: string): "ignored" {
  logger.warn({ phone: phone.phone, id }, "a phone ignored a change that its stanza does not declare");
  return "ignored";
}

/** The message to request again, and the attributes that identify the requester. */
type RetryRequest = Pick<Envelope, "id" | "sender"> & { from?: string; participant?: string };

/** Sends a retry receipt with the phone's keys, so that the sender starts a new Signal session and resends. */
export function requestRetry(phone: Phone, { id, sender, ...attributes }: RetryRequest): void {
  const bundle = phone.signal.bundle();
  const preKey = bundle.preKey && [
    node("key", {}, [node("id", {}, uint(bundle.preKey.keyId, 3)), node("value", {}, bundle.preKey.public)]),
  ];
  sender.device.mailbox.put(
    node("receipt", { ...attributes, id, type: "retry", t: nowS() }, [
      node("retry", { count: "1", id, t: nowS(), v: "1" }),
      node("registration", {}, uint(bundle.registrationId, 4)),
      node("keys", {}, [
        node("type", {}, Buffer.from([5])),
        node("identity", {}, bundle.identity),
        ...(preKey ?? []),
        node("skey", {}, [
          node("id", {}, uint(bundle.signedPreKey.keyId, 3)),
          node("value", {}, bundle.signedPreKey.public),
          node("signature", {}, bundle.signedPreKey.signature),
        ]),
      ]),
    ]),
  );
}
