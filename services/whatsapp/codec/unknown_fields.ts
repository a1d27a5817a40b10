import type { proto } from "@whiskeysockets/baileys";

/** Fields of a message that are read before the search ends; phones write three. */
const maxFields = 64;
const deviceSentMessage = 31;
/** The message within a deviceSentMessage. */
const sentMessage = 2;
/** Fields that accompany content, by number and by name. */
const asideNumbers: ReadonlySet<number> = new Set([2, 15, deviceSentMessage, 35]);
const asideNames: ReadonlySet<string> = new Set([
  "senderKeyDistributionMessage",
  "fastRatchetKeySenderKeyDistributionMessage",
  "deviceSentMessage",
  "messageContextInfo",
]);

/** True if a message has fields that accompany content, and no content that is known. */
export const hasAsidesOnly = (message: proto.IMessage): boolean =>
  Object.keys(message).every((name) => asideNames.has(name));

/** The name of content whose field Baileys' definitions lack: its number. Undefined if there is none. */
export function unknownFieldIn(message: proto.IMessage, bytes: Uint8Array): string | undefined {
  if (!hasAsidesOnly(message)) return undefined;
  for (const { number, value } of fieldsOf(bytes)) {
    if (!asideNumbers.has(number)) return `field ${number}`;
    if (number !== deviceSentMessage) continue;
    const inner = fieldsOf(value).find((field) => field.number === sentMessage);
    return inner && unknownFieldIn(message, inner.value);
  }
  return undefined;
}

type Field = { number: number; value: Uint8Array };

/** The first fields of an encoded protobuf message that hold a message or a string, as every kind of content does. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const reader = { at: 0 };
  const fields: Field[] = [];
  for (let read = 0; read < maxFields && reader.at < bytes.length; read++) {
    const key = varint(bytes, reader);
    if (key === undefined || key < 8) break;
    const [number, wireType] = [Math.floor(key / 8), key % 8];
    if (wireType === 0) {
      if (varint(bytes, reader) === undefined) break;
      continue;
    }
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? varint(bytes, reader) : undefined;
    if (length === undefined) break;
    if (wireType === 2) fields.push({ number, value: bytes.subarray(reader.at, reader.at + length) });
    reader.at += length;
  }
  return fields;
}

/** Undefined if the number is cut short or has more than 28 bits: no length and no field number needs more. */
function varint(bytes: Uint8Array, reader: { at: number }): number | undefined {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[reader.at++];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return undefined;
}
