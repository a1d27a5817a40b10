import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Device } from "../phones/device.ts";
import { copyNames, senderNames } from "../phones/naming.ts";
import type { Naming } from "../phones/naming.ts";
import type { Phone } from "../phones/phone.ts";
import type { KeyBundle } from "../phones/signal.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import { phoneJid, lidJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node, server, stanzaId } from "../wire/stanza.ts";
import { contentOf, pad } from "./content.ts";

export type Written = { id: string; to: string; timestamp: number; companions: number };

/** Below this many one-time keys the server requests more from a companion; WhatsApp Web uploads below 5. */
const fewPreKeys = 5;

/** Creates a message id of an iPhone's form: "3A" and 18 hexadecimal digits. */
export const messageId = () => `3A${randomBytes(9).toString("hex").toUpperCase()}`;

/**
 * Content that the receiver's companions get instead of the ciphertext.
 *   unavailable    none: only the phone has the content, as with the first message of a user who comes from an ad
 *   unanswered     none, and the phone does not resend the content
 *   view_once      none: WhatsApp shows the content on the phone only, and the phone does not resend it
 *   garbage        undecryptable bytes, and no answer to a retry receipt
 *   garbage_once   undecryptable bytes, and the message in answer to a retry receipt
 *   used_prekey    a first message under a one-time key that the companion has no more. The phone keeps that session
 *                  until a retry receipt brings other keys.
 */
export const companionsGet = z.enum([
  "unavailable",
  "unanswered",
  "view_once",
  "garbage",
  "garbage_once",
  "used_prekey",
]);
export type CompanionsGet = z.output<typeof companionsGet>;

/** Added to a key's id, it names none of the companion's keys. */
const unknownKeys = 0x70_0000;
/** Ids of messages under a used key. */
const unusable = new Set<string>();

/** Content that no later request brings: the server keeps no copy. */
const neverResent: ReadonlySet<string | undefined> = new Set<CompanionsGet>(["unanswered", "view_once", "garbage"]);

type Options = {
  id?: string | undefined;
  companionsGet?: CompanionsGet | undefined;
  /** The bytes of the message, where they are not the encoding of `content`. */
  wire?: Uint8Array | undefined;
  /** The companions get the message again, under these names of its writer. */
  againAs?: Naming | undefined;
};

/**
 * Sends a phone's message to another number: encrypts it for each companion of the receiver and, as a copy, for each of
 * its own, and shows it on the receiving phone. Resolves when the server has stored all of it.
 */
export async function write(
  simulation: Simulation,
  from: Phone,
  to: Phone,
  content: proto.IMessage,
  { id = messageId(), companionsGet: instead, wire, againAs }: Options = {},
): Promise<Written> {
  const timestamp = Date.now();
  const { store } = simulation;
  const insertSent = () =>
    store.db
      .query("INSERT INTO sent (phone, id, recipient, content, at, status) VALUES (?, ?, ?, ?, ?, 'sent')")
      .run(from.phone, id, to.phone, wire ?? proto.Message.encode(content).finish(), timestamp);
  if (!neverResent.has(instead)) store.write(() => void insertSent());
  if (to !== from) {
    simulation.limits.recordIncoming(from.phone, to.phone);
    to.screen.show({
      id,
      chat: from.phone,
      sender: from.phone,
      from_me: false,
      push_name: from.name,
      ...contentOf(content),
      timestamp,
    });
  }
  const copies = simulation.faults.strike("duplicate", to.phone, from.phone)?.copies ?? 1;
  if (copies > 1) simulation.ledger.record({ event: "duplicated", phone: to.phone, id, copies });
  if (instead) simulation.ledger.record({ event: "withheld", phone: to.phone, id, from: from.phone, as: instead });
  let companions = 0;
  for (const device of to === from ? [] : to.devices.values()) {
    await post(simulation, { from, device, id, timestamp, content, wire, copies, instead });
    companions += 1;
  }
  if (againAs !== undefined) {
    await store.committed();
    for (const device of to.devices.values()) {
      await post(simulation, { from, device, id, timestamp, content, wire, instead, naming: againAs });
    }
    simulation.ledger.record({ event: "renamed", phone: to.phone, id, as: againAs });
  }
  const copy: proto.IMessage = { deviceSentMessage: { destinationJid: phoneJid(to.phone), message: content } };
  for (const device of from.devices.values()) {
    const own = instead === "garbage" ? instead : undefined;
    await post(simulation, { from, device, id, timestamp, content: copy, copies, recipient: to, instead: own });
    companions += 1;
  }
  await store.committed();
  return { id, to: to.phone, timestamp, companions };
}

type Post = {
  from: Phone;
  device: Device;
  id: string;
  timestamp: number;
  content: proto.IMessage;
  /** The bytes of the message, where they are not the encoding of `content`. */
  wire?: Uint8Array | undefined;
  copies?: number;
  /** In a copy for one's own companion: the receiver of the original. */
  recipient?: Phone;
  /** A protocol message between a phone and its own companion, which is not shown. */
  peer?: boolean;
  /** Names of the writer; by default those of its phone. */
  naming?: Naming | undefined;
  /** Content instead of the ciphertext. */
  instead?: CompanionsGet | undefined;
  /** Number of retry receipts for the message. */
  retry?: number;
  /** Keys from the companion's retry receipt. Unset: those that it uploaded. */
  bundle?: KeyBundle;
};

/** Encrypts a message for one companion and enqueues it in the companion's mailbox. */
export async function post(simulation: Simulation, message: Post): Promise<void> {
  const { from, device } = message;
  const enc = await bodyFor(message);
  simulation.stats.messages_delivered += 1;
  device.mailbox.put(
    node(
      "message",
      {
        ...namesOf(message),
        id: message.id,
        t: String(Math.floor(message.timestamp / 1000)),
        type: "text",
        notify: from.name,
        category: message.peer ? "peer" : undefined,
        edit: editAttribute(message.content),
      },
      [enc],
    ),
    { copies: message.copies ?? 1, retry: message.retry !== undefined },
  );
}

function namesOf({ from, recipient, peer, naming }: Post): Record<string, string> {
  if (recipient) return copyNames(from, recipient);
  return peer ? { from: phoneJid(from.phone), sender_lid: lidJid(from.lid) } : senderNames(from, 0, naming);
}

const { MESSAGE_EDIT, REVOKE } = proto.Message.ProtocolMessage.Type;

/** The mark of a change in the stanza. WhatsApp's server lets only a group's administrators send 8. */
export function editAttribute(content: proto.IMessage): string | undefined {
  const { editedMessage, secretEncryptedMessage } = content;
  const change = content.protocolMessage ?? editedMessage?.message?.protocolMessage;
  if (secretEncryptedMessage || change?.type === MESSAGE_EDIT) return "1";
  if (change?.type !== REVOKE) return undefined;
  return change.key?.fromMe === true ? "7" : "8";
}

async function bodyFor(message: Post): Promise<BinaryNode> {
  if (message.instead === "used_prekey") {
    const { from, device, content } = message;
    const { preKey, ...bundle } = takeBundle(device);
    const used = preKey && { ...preKey, keyId: preKey.keyId + unknownKeys };
    unusable.add(message.id);
    return encryptFor(from, device, content, { bundle: { ...bundle, ...(used ? { preKey: used } : {}) } });
  }
  if (message.retry !== undefined && message.bundle === undefined && unusable.has(message.id)) {
    return encryptBytes(message.from, message.device, pad(message.content), {});
  }
  if (message.instead === "unavailable" || message.instead === "unanswered") return node("unavailable");
  if (message.instead === "view_once") return node("unavailable", { type: "view_once_unavailable_fanout" });
  if (message.instead !== undefined) return garbageNode();
  const { from, device, content, wire } = message;
  return wire === undefined
    ? encryptFor(from, device, content, message)
    : encryptBytes(from, device, Buffer.concat([wire, Buffer.from([1])]), message);
}

/** A ciphertext that no Signal session decrypts. */
export const garbageNode = (): BinaryNode =>
  node("enc", { v: "2", type: "msg" }, Buffer.concat([Buffer.from([0x33]), randomBytes(79)]));

/** Encrypts a message for one companion. Starts a new Signal session if there is none or the message is a resend. */
export const encryptFor = (
  from: Phone,
  device: Device,
  content: proto.IMessage,
  again?: Pick<Post, "retry" | "bundle">,
) => encryptBytes(from, device, pad(content), again);

/** Does the same for a padded plaintext. */
export async function encryptBytes(
  from: Phone,
  device: Device,
  plaintext: Buffer,
  { retry, bundle }: Pick<Post, "retry" | "bundle"> = {},
): Promise<BinaryNode> {
  const address = deviceAddress(device.phone, device.id);
  if (bundle || retry !== undefined || !from.signal.has(address))
    await from.signal.begin(address, bundle ?? takeBundle(device));
  const { type, ciphertext } = await from.signal.encrypt(address, plaintext);
  return node("enc", { v: "2", type, count: retry === undefined ? undefined : String(retry) }, ciphertext);
}

/** Takes one bundle of a device's uploaded keys. Requests more one-time keys from the device if few are left. */
export function takeBundle(device: Device): KeyBundle {
  const bundle = device.takeBundle();
  if (device.preKeyCount < fewPreKeys) {
    device.mailbox.put(
      node("notification", { from: server, type: "encrypt", id: stanzaId() }, [
        node("count", { value: String(device.preKeyCount) }),
      ]),
    );
  }
  return bundle;
}
