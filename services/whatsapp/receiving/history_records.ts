/** The field of a HistorySync message that holds a chat, with its messages. */
const conversations = 2;
const lengthDelimited = 2;
/** A longer chat is skipped: its messages, which are not kept, take the space. */
const maxRecordBytes = 8 * 1024 * 1024;
const maxHeaderBytes = 20;

/**
 * Reads the chats of a history while it is inflated, so that one chat at a time is in memory: a history takes hundreds
 * of megabytes. Throws on bytes that are no protobuf message.
 */
export class HistoryRecords {
  #pending = Buffer.alloc(0);
  /** Bytes of a field that is not read. */
  #skip = 0;

  /** Returns the chats that are complete with this chunk. */
  push(chunk: Uint8Array): Buffer[] {
    const records: Buffer[] = [];
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, this.#pending.length);
        this.#skip -= skipped;
        this.#pending = this.#pending.subarray(skipped);
        if (this.#skip > 0) return records;
      }
      const field = headerOf(this.#pending);
      if (field === undefined) {
        if (this.#pending.length >= maxHeaderBytes) throw new RangeError("the history has a malformed field");
        return records;
      }
      const { number, at, length } = field;
      if (number !== conversations || length > maxRecordBytes) {
        this.#pending = this.#pending.subarray(at);
        this.#skip = length;
        continue;
      }
      if (this.#pending.length < at + length) return records;
      records.push(this.#pending.subarray(at, at + length));
      this.#pending = this.#pending.subarray(at + length);
    }
  }
}

type Field = { number: number; at: number; length: number };

/** A field's number, and where its content begins and how long it is; undefined if more bytes are needed. */
function headerOf(bytes: Buffer): Field | undefined {
  const tag = varint(bytes, 0);
  if (tag === undefined) return undefined;
  const [number, type] = [Math.floor(tag.value / 8), tag.value % 8];
  switch (type) {
    case 0: {
      const value = varint(bytes, tag.end);
      return value && { number, at: value.end, length: 0 };
    }
    case 1:
      return { number, at: tag.end, length: 8 };
    case lengthDelimited: {
      const length = varint(bytes, tag.end);
      return length && { number, at: length.end, length: length.value };
    }
    case 5:
      return { number, at: tag.end, length: 4 };
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
