/** The field of a HistorySync message that holds a chat, with its messages. */
const conversations = 2;
/** The field with the salt of the tokens for new contacts (sending/contact_salt.ts). */
const contactSalt = 19;
/** Protobuf's wire types of the fields that are read. */
const wireVarint = 0;
const wireBytes = 2;
/** Messages, which take the space, are skipped. */
const fields = {
  1: "id",
  21: "tcToken",
  22: "tcTokenTimestamp",
  28: "tcTokenSenderTimestamp",
  39: "pnJid",
  42: "lidJid",
} as const;
/** Longer identifiers and tokens are skipped. */
const maxValueBytes = 256;
const maxHeaderBytes = 20;
/** Bounds the CPU time of one history. A message is one field, so a busy account's history fits. */
const maxFields = 500_000;
const maxChats = 100_000;

/** The fields of a chat that are read. */
export type HistoryChat = {
  id?: string;
  pnJid?: string;
  lidJid?: string;
  tcToken?: Buffer;
  tcTokenTimestamp?: number;
  tcTokenSenderTimestamp?: number;
};

/**
 * Reads the chats of a history while it is inflated, so that a few fields at a time are in memory: a history takes
 * hundreds of megabytes. Throws on bytes that are no protobuf message, and on too many fields or chats.
 */
export class HistoryRecords {
  #pending = Buffer.alloc(0);
  /** Bytes of a field that is not read. */
  #skip = 0;
  /** The chat whose fields are read, and how many of its bytes remain. */
  #current: { chat: HistoryChat; left: number } | undefined;
  #fields = 0;
  #chats = 0;
  /** The account's salt, once it was read. */
  contactSalt: Buffer | undefined;

  /** Returns the chats that are complete with this chunk. */
  push(chunk: Uint8Array): HistoryChat[] {
    const chats: HistoryChat[] = [];
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const skipped = Math.min(this.#skip, this.#pending.length);
      this.#skip -= skipped;
      this.#consume(skipped);
      if (this.#skip > 0) return chats;
      if (this.#current?.left === 0) {
        chats.push(this.#current.chat);
        this.#current = undefined;
      }
      const field = headerOf(this.#pending);
      if (field === undefined) {
        if (this.#pending.length >= maxHeaderBytes) throw new RangeError("the history has a malformed field");
        return chats;
      }
      if (!this.#take(field)) return chats;
    }
  }

  /** Takes the field at the beginning of the pending bytes. False if more bytes are needed. */
  #take(field: Field): boolean {
    const { number, type, at, length, value } = field;
    if (this.#current === undefined) {
      const isSalt = number === contactSalt && type === wireBytes && length > 0 && length <= maxValueBytes;
      if (isSalt && this.#pending.length < at + length) return false;
      this.#count();
      if (isSalt) this.contactSalt = Buffer.from(this.#pending.subarray(at, at + length));
      this.#consume(at);
      if (number !== conversations || type !== wireBytes) this.#skip = length;
      else if (++this.#chats > maxChats) throw new RangeError("the history has too many chats");
      else this.#current = { chat: {}, left: length };
      return true;
    }
    const { chat, left } = this.#current;
    if (at + length > left) throw new RangeError("the history has a field that exceeds its chat");
    const name = fields[number as keyof typeof fields];
    const isRead = name !== undefined && type === typeOf(name) && length <= maxValueBytes;
    if (isRead && this.#pending.length < at + length) return false;
    this.#count();
    if (isRead) set(chat, name, value, this.#pending.subarray(at, at + length));
    this.#consume(at);
    this.#skip = length;
    return true;
  }

  #consume(bytes: number): void {
    this.#pending = this.#pending.subarray(bytes);
    if (this.#current !== undefined) this.#current.left -= bytes;
  }

  #count(): void {
    if (++this.#fields > maxFields) throw new RangeError("the history has too many fields");
  }
}

type Name = (typeof fields)[keyof typeof fields];

const typeOf = (name: Name) => (name.endsWith("Timestamp") ? wireVarint : wireBytes);

function set(chat: HistoryChat, name: Name, value: number, bytes: Buffer): void {
  if (name === "tcTokenTimestamp" || name === "tcTokenSenderTimestamp") chat[name] = value;
  else if (name === "tcToken") chat[name] = Buffer.from(bytes);
  else chat[name] = bytes.toString("utf8");
}

/** `value` is a varint's, else 0. The content begins `at`; a varint has none. */
type Field = { number: number; type: number; at: number; length: number; value: number };

/** Reads a field's header; undefined if more bytes are needed. */
function headerOf(bytes: Buffer): Field | undefined {
  const tag = varint(bytes, 0);
  if (tag === undefined) return undefined;
  const [number, type] = [Math.floor(tag.value / 8), tag.value % 8];
  switch (type) {
    case wireVarint: {
      const read = varint(bytes, tag.end);
      return read && { number, type, at: read.end, length: 0, value: read.value };
    }
    case 1:
      return { number, type, at: tag.end, length: 8, value: 0 };
    case wireBytes: {
      const length = varint(bytes, tag.end);
      return length && { number, type, at: length.end, length: length.value, value: 0 };
    }
    case 5:
      return { number, type, at: tag.end, length: 4, value: 0 };
    default:
      throw new RangeError(`the history has a field of the unknown wire type ${type}`);
  }
}

function varint(bytes: Buffer, from: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = from; at < Math.min(bytes.length, from + 10); at++) {
    value += (bytes[at]! & 0x7f) * 2 ** (7 * (at - from));
    if (bytes[at]! < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}
