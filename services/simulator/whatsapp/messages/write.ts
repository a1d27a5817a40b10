import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Device } from "../phones/device.ts";
import type { Phone } from "../phones/phone.ts";
import type { KeyBundle } from "../phones/signal.ts";
import { deviceAddress } from "../phones/signal.ts";
import type { Simulation } from "../simulation.ts";
import { phoneJid, lidJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node, server, stanzaId } from "../wire/stanza.ts";
import { contentOf, pad } from "./content.ts";

export type Written = { id: string; to: string; timestamp: number; companions: number };

/** Below this many one-time keys the server asks a companion for more; WhatsApp Web uploads below 5. */
const fewPreKeys = 5;

/** The id a phone gives its message: "3A" and 18 hexadecimal digits, as iPhones do. */
export const messageId = () => `3A${randomBytes(9).toString("hex").toUpperCase()}`;

/**
 * What the receiver's companions get in place of the ciphertext.
 *   unavailable    nothing: only the phone has the content, as of the first message of a person who comes from an advertisement
 *   garbage        bytes that no session decrypts, and nothing when they ask again
 *   garbage_once   such bytes, and the message when they ask again
 */
export const companionsGet = z.enum(["unavailable", "garbage", "garbage_once"]);
export type CompanionsGet = z.output<typeof companionsGet>;

type Options = { id?: string | undefined; companionsGet?: CompanionsGet | undefined };

/**
 * A phone writes to another number: encrypted for each companion of the receiver and, as a copy, for each of its
 * own; the receiving phone itself shows it too. Resolves when the server holds it all.
 */
export async function write(
  simulation: Simulation,
  from: Phone,
  to: Phone,
  content: proto.IMessage,
  { id = messageId(), companionsGet: instead }: Options = {},
): Promise<Written> {
  const timestamp = Date.now();
  const { store } = simulation;
  const keep = () =>
    store.db
      .query("INSERT INTO sent (phone, id, recipient, content, at, status) VALUES (?, ?, ?, ?, ?, 'sent')")
      .run(from.phone, id, to.phone, proto.Message.encode(content).finish(), timestamp);
  if (instead !== "garbage") store.write(() => void keep());
  if (to !== from) {
    simulation.limits.acquaint(from.phone, to.phone);
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
  let companions = 0;
  for (const device of to === from ? [] : to.devices.values()) {
    await post(simulation, { from, device, id, timestamp, content, copies, instead });
    companions += 1;
  }
  const copy: proto.IMessage = { deviceSentMessage: { destinationJid: phoneJid(to.phone), message: content } };
  for (const device of from.devices.values()) {
    await post(simulation, { from, device, id, timestamp, content: copy, copies, recipient: to });
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
  copies?: number;
  /** Who the original went to, where this is the copy for one's own companion. */
  recipient?: Phone;
  /** Between a phone and its own companion, not for anybody's eyes. */
  peer?: boolean;
  /** What goes out in place of the ciphertext. */
  instead?: CompanionsGet | undefined;
  /** How often it has been asked for again. */
  retry?: number;
  /** Keys that the companion sent along; otherwise those it left at the server. */
  bundle?: KeyBundle;
};

/** Encrypts for one companion and puts it into its mailbox. */
export async function post(simulation: Simulation, letter: Post): Promise<void> {
  const { from, device } = letter;
  const enc = await bodyFor(letter);
  simulation.stats.messages_delivered += 1;
  device.mailbox.put(
    node(
      "message",
      {
        from: phoneJid(from.phone),
        id: letter.id,
        t: String(Math.floor(letter.timestamp / 1000)),
        type: "text",
        notify: from.name,
        // The LID is that of the other side of the chat: a client takes it for the LID of the chat's number.
        ...(letter.recipient
          ? { recipient: phoneJid(letter.recipient.phone), peer_recipient_lid: lidJid(letter.recipient.lid) }
          : { sender_lid: lidJid(from.lid) }),
        category: letter.peer ? "peer" : undefined,
      },
      [enc],
    ),
    { copies: letter.copies ?? 1, retry: letter.retry !== undefined },
  );
}

async function bodyFor(letter: Post): Promise<BinaryNode> {
  if (letter.instead === "unavailable") return node("unavailable");
  if (letter.instead !== undefined)
    return node("enc", { v: "2", type: "msg" }, Buffer.concat([Buffer.from([0x33]), randomBytes(79)]));
  return encryptFor(letter.from, letter.device, letter.content, letter);
}

/** A ciphertext for one companion; in a new session where there is none, or where it is asked for again. */
export const encryptFor = (
  from: Phone,
  device: Device,
  content: proto.IMessage,
  again?: Pick<Post, "retry" | "bundle">,
) => encryptBytes(from, device, pad(content), again);

/** As `encryptFor`, of a plaintext with its padding. */
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

/** The keys a device left at the server; when few one-time keys are left, it is asked for more. */
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
