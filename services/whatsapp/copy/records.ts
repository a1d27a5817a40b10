/*
 * A record is one change of the shard's state, in the tail and in snapshots. Each is idempotent: a restore replays
 * changes that its snapshot may contain already.
 *
 *   schema    sql                              a table or an index of the shard's database
 *   row       table, value of each column      the row as it is now
 *   gone      table, value of each key column  the row was deleted
 *   sequence  table, number                    the highest AUTOINCREMENT number that was assigned
 *   auth      folder, business, name, value    a value of an auth store; null if it was deleted
 *   removed   folder, business                 the auth store was archived or discarded
 */
export type Value = null | number | string | Uint8Array;
export type Kind = "schema" | "row" | "gone" | "sequence" | "auth" | "removed";
export type ChangeRecord = readonly [kind: Kind, ...values: Value[]];

/** Folders of auth stores on the volume: those in use, and those that a move has staged. */
export const storeFolders = ["sessions", "arriving"] as const;
export type StoreFolder = (typeof storeFolders)[number];

const tags = { null: 0, number: 1, text: 2, bytes: 3 } as const;

/** Bytes that a record takes at most; texts count as UTF-8's longest form. */
export function sizeOf(record: ChangeRecord): number {
  let size = 2;
  for (const value of record) {
    if (value === null) size += 1;
    else if (typeof value === "number") size += 9;
    else size += 5 + (typeof value === "string" ? 3 * value.length : value.length);
  }
  return size;
}

/** Splits records into groups of bounded size. A larger record gets a group of its own. */
export function inGroups(records: readonly ChangeRecord[], maxBytes: number): ChangeRecord[][] {
  const groups: ChangeRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = sizeOf(record);
    if (bytes + size > maxBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(record);
    bytes += size;
  }
  return groups;
}

/** number of values (2 bytes) ‖ for each value: tag ‖ float64, or length (4 bytes) ‖ bytes */
export function encode(records: readonly ChangeRecord[]): Buffer {
  const bytes = Buffer.allocUnsafe(records.reduce((sum, record) => sum + sizeOf(record), 0));
  let at = 0;
  for (const record of records) {
    at = bytes.writeUInt16BE(record.length, at);
    for (const value of record) {
      if (value === null) at = bytes.writeUInt8(tags.null, at);
      else if (typeof value === "number") at = bytes.writeDoubleBE(value, bytes.writeUInt8(tags.number, at));
      else if (typeof value === "string") {
        const length = bytes.write(value, at + 5);
        at = bytes.writeUInt32BE(length, bytes.writeUInt8(tags.text, at)) + length;
      } else {
        at = bytes.writeUInt32BE(value.length, bytes.writeUInt8(tags.bytes, at));
        bytes.set(value, at);
        at += value.length;
      }
    }
  }
  return bytes.subarray(0, at);
}

/** @throws RangeError on bytes that `encode` did not write. They were authenticated, so that is a bug of ours. */
export function decode(bytes: Buffer): ChangeRecord[] {
  const records: ChangeRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = bytes.readUInt16BE(at);
    at += 2;
    const values: Value[] = [];
    for (let n = 0; n < count; n++) {
      const tag = bytes.readUInt8(at++);
      if (tag === tags.null) values.push(null);
      else if (tag === tags.number) {
        values.push(bytes.readDoubleBE(at));
        at += 8;
      } else {
        const end = at + 4 + bytes.readUInt32BE(at);
        if (end > bytes.length || tag > tags.bytes) throw new RangeError("a record is cut short");
        values.push(tag === tags.text ? bytes.toString("utf8", at + 4, end) : bytes.subarray(at + 4, end));
        at = end;
      }
    }
    records.push(values as unknown as ChangeRecord);
  }
  return records;
}
