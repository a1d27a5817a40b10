import { crc32, deflateRawSync } from "node:zlib";

/** 1980-01-01, the earliest date of the format: the same files give the same archive. */
const date = 0x0021;
const version = 20;
const deflated = 8;
/** Names are UTF-8. */
const flags = 0x0800;

type Entry = { name: Buffer; packed: Buffer; crc: number; size: number; offset: number };

/** Packs files into a ZIP archive (https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.9.TXT, §4.3). */
export function zip(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const parts: Buffer[] = [];
  const entries: Entry[] = [];
  let offset = 0;
  for (const [path, bytes] of files) {
    const name = Buffer.from(path);
    const entry = { name, packed: deflateRawSync(bytes), crc: crc32(bytes), size: bytes.length, offset };
    const local = Buffer.concat([fields([4, 0x04034b50]), common(entry), name, entry.packed]);
    entries.push(entry);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries.map(directoryEntry));
  const count = entries.length;
  const end = [
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, 0],
  ] as const;
  return Buffer.concat([...parts, directory, fields(...end)]);
}

/** The fields that a local header and a directory entry share. */
function common({ name, packed, crc, size }: Entry): Buffer {
  const sizes = [
    [4, crc],
    [4, packed.length],
    [4, size],
    [2, name.length],
    [2, 0],
  ] as const;
  return fields([2, version], [2, flags], [2, deflated], [2, 0], [2, date], ...sizes);
}

function directoryEntry(entry: Entry): Buffer {
  const rest = [
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, entry.offset],
  ] as const;
  return Buffer.concat([fields([4, 0x02014b50], [2, version]), common(entry), fields(...rest), entry.name]);
}

/** Little-endian integers, each of a size in bytes. */
function fields(...values: (readonly [size: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(values.reduce((sum, [size]) => sum + size, 0));
  let at = 0;
  for (const [size, value] of values) at = bytes.writeUIntLE(value, at, size);
  return bytes;
}
