import { createHash, randomBytes } from "node:crypto";
import { sharedNow, sharedTimeSteps } from "./time.ts";

/*
 * UUIDv7 (RFC 9562 §5.7): 48 bits of Unix time in ms, then the version, then 74 free bits. The free bits are random for
 * a new row, or a hash for a row whose id must be deterministic.
 */
function format(atMs: number, free: Uint8Array): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(Math.max(0, Math.floor(atMs)) % 2 ** 48, 0, 6);
  bytes.set(free.subarray(0, 10), 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

let lastMs = 0;
let sequence = 0;
let steps = 0;

/**
 * Creates a UUIDv7 from the shared clock. Ids of one process sort by creation order even within a millisecond: the 12
 * bits after the version count up (RFC 9562 §6.2, method 1), and past 4,095 the time in the id runs ahead.
 */
export function uuidv7(): string {
  const now = sharedNow();
  // After the shared clock was corrected, follow it at once, backwards too: otherwise ids would stay in the future.
  if (steps !== sharedTimeSteps()) {
    steps = sharedTimeSteps();
    lastMs = 0;
  }
  if (now > lastMs) {
    lastMs = now;
    sequence = randomBytes(1)[0]!;
  } else if (++sequence > 0xfff) {
    lastMs += 1;
    sequence = 0;
  }
  const free = randomBytes(10);
  free[0] = sequence >> 8;
  free[1] = sequence & 0xff;
  return format(lastMs, free);
}

/** Returns the Unix time in ms of a UUIDv7. */
export function uuidv7Time(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Returns the smallest UUIDv7 of a moment: the bound of a partition or of a range query. */
export function uuidv7Floor(atMs: number): string {
  return format(atMs, new Uint8Array(10));
}

/** Returns a UUIDv7 whose free bits are the SHA-256 of `parts`: the same time and parts always give the same id. */
export function deterministicUuidv7(atMs: number, ...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return format(atMs, hash.digest());
}

/** Returns the 12 bits after the version, by which ids of one millisecond sort. */
export function uuidv7Sequence(id: string): number {
  return Number.parseInt(id.slice(15, 18), 16);
}

/** Like {@link deterministicUuidv7}, with the given sequence (0 to 4,095), which orders ids of one millisecond. */
export function sequencedUuidv7(atMs: number, sequence: number, ...parts: string[]): string {
  const id = deterministicUuidv7(atMs, ...parts);
  return `${id.slice(0, 15)}${sequence.toString(16).padStart(3, "0")}${id.slice(18)}`;
}

/**
 * Derives the WhatsApp message id of an outbound row from the row's id, in WhatsApp Web's form ("3EB0" and 18
 * hexadecimal digits). Every retry carries the same id, so the recipient's phone deduplicates them.
 */
export function whatsappMessageId(rowId: string): string {
  return `3EB0${createHash("sha256").update(rowId).digest("hex").slice(0, 18).toUpperCase()}`;
}
