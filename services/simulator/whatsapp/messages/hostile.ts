import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Device } from "../phones/device.ts";
import { senderNames } from "../phones/naming.ts";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node, nowS } from "../wire/stanza.ts";
import { lidStatement } from "./contacts.ts";
import { encryptBytes, messageId } from "./write.ts";

/**
 * Messages of a hostile client. The first kinds are plaintexts, which WhatsApp's server cannot see; the others are
 * stanzas.
 *   nested_quotes     a reply that quotes a reply, 5,000 deep
 *   nested_wrappers   ephemeral and view-once wrappers, 5,000 deep
 *   invalid_utf8      a text that is not UTF-8
 *   long_text         a text of 1 MB
 *   many_mentions     a text that mentions 10,000 people
 *   truncated         a field that is longer than the message
 *   negative_length   a field of -1 bytes
 *   many_ciphertexts  a message with 10,000 ciphertexts
 *   many_children     a message with 10,000 unknown children
 *   many_attributes   a message with 10,000 unknown attributes
 *   many_receipts     a receipt for 10,000 messages
 *   lid_claim         a claim that another account's number belongs to the writer's LID, as only a phone sends its
 *                     companions
 */
export const hostileKind = z.enum([
  "nested_quotes",
  "nested_wrappers",
  "invalid_utf8",
  "long_text",
  "many_mentions",
  "truncated",
  "negative_length",
  "many_ciphertexts",
  "many_children",
  "many_attributes",
  "many_receipts",
  "lid_claim",
]);
export type HostileKind = z.output<typeof hostileKind>;

const depth = 5_000;
const many = 10_000;

/** Field numbers of WhatsApp's messages. */
const conversation = 1;
const extendedText = 6;
const viewOnce = 37;
const ephemeral = 40;
const wrapped = 1;
const text = 1;
const contextInfo = 17;
const quotedMessage = 3;
const mentionedJid = 15;

/** Sends a hostile message from a phone to another number. Resolves when the server has stored it. */
export async function writeHostile(
  simulation: Simulation,
  from: Phone,
  to: Phone,
  { kind, claim }: { kind: HostileKind; claim?: string | undefined },
): Promise<{ id: string }> {
  const id = messageId();
  for (const device of to.devices.values()) {
    device.mailbox.put(await stanzaOf(kind, { from, device, id, claim }));
    simulation.stats.messages_delivered += 1;
  }
  await simulation.store.committed();
  return { id };
}

/** `claim`: the number that a lid_claim is about. */
type Envelope = { from: Phone; device: Device; id: string; claim: string | undefined };

async function stanzaOf(kind: HostileKind, { from, device, id, claim }: Envelope): Promise<BinaryNode> {
  const message = (content: BinaryNode[], more: Record<string, string> = {}) =>
    node(
      "message",
      {
        from: phoneJid(from.phone),
        id,
        t: nowS(),
        type: "text",
        notify: from.name,
        sender_lid: lidJid(from.lid),
        ...more,
      },
      content,
    );
  const encrypted = (plaintext: Buffer) => encryptBytes(from, device, Buffer.concat([plaintext, Buffer.from([1])]));
  switch (kind) {
    case "many_ciphertexts":
      return message(
        Array.from({ length: many }, () =>
          node("enc", { v: "2", type: "msg" }, Buffer.concat([Buffer.from([0x33]), randomBytes(79)])),
        ),
      );
    case "many_children":
      return message([await encrypted(field(conversation, kind)), ...Array.from({ length: many }, () => node("x"))]);
    case "many_attributes":
      return message(
        [await encrypted(field(conversation, kind))],
        Object.fromEntries(Array.from({ length: many }, (_, i) => [`a${i}`, `${i}`])),
      );
    case "many_receipts": {
      const items = Array.from({ length: many }, () => node("item", { id: messageId() }));
      return node("receipt", { from: phoneJid(from.phone), id, type: "read", t: nowS() }, [node("list", {}, items)]);
    }
    case "lid_claim":
      return message([await encrypted(claimOf(from, claim ?? from.phone))], senderNames(from));
    default:
      return message([await encrypted(plaintextOf(kind))]);
  }
}

/** A phone's statement to its own companions, from a stranger. */
function claimOf(from: Phone, claim: string): Buffer {
  return Buffer.from(proto.Message.encode(lidStatement([{ phone: claim, lid: from.lid }])).finish());
}

function plaintextOf(kind: HostileKind): Buffer {
  const leaf = field(conversation, kind);
  switch (kind) {
    case "nested_quotes":
      return nested(leaf, Array.from({ length: depth }, () => [quotedMessage, contextInfo, extendedText]).flat());
    case "nested_wrappers":
      return nested(
        leaf,
        Array.from({ length: depth }, (_, i) => [wrapped, i % 2 === 0 ? ephemeral : viewOnce]).flat(),
      );
    case "invalid_utf8":
      return field(conversation, Buffer.from("c328a0a1e28281fffef0288cbc", "hex"));
    case "long_text":
      return field(conversation, "x".repeat(2 ** 20));
    case "many_mentions": {
      const mentions = Array.from({ length: many }, (_, i) => field(mentionedJid, phoneJid(`${15_550_000_000 + i}`)));
      return field(extendedText, Buffer.concat([field(text, kind), field(contextInfo, Buffer.concat(mentions))]));
    }
    case "truncated":
      return field(conversation, "x".repeat(1_000)).subarray(0, 100);
    case "negative_length":
      return Buffer.from([(conversation << 3) | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x78]);
    default:
      return leaf;
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

const header = (number: number, length: number) => Buffer.from([...varint(number * 8 + 2), ...varint(length)]);

function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([header(number, bytes.length), bytes]);
}

/** Wraps `leaf` in the given fields, the innermost first. */
function nested(leaf: Buffer, fields: number[]): Buffer {
  const headers: Buffer[] = [];
  let length = leaf.length;
  for (const number of fields) {
    const outer = header(number, length);
    headers.push(outer);
    length += outer.length;
  }
  return Buffer.concat([...headers.toReversed(), leaf]);
}
