import { createHash, randomBytes } from "node:crypto";
import { sharedNow, sharedTimeSteps } from "./time.ts";

/*
 * UUIDv7 (RFC 9562 §5.7): 48 bits of Unix time in ms, then version, then 74 free bits. The free bits are
 * random for a new row, or a hash for a row that must get the same id each time it is seen.
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
 * A new UUIDv7, of the time that all processes share. Ids made by one process in the same millisecond still sort in the order they were made:
 * the 12 bits after the version count up (RFC 9562 §6.2, method 1), and past 4,095 the clock is run ahead.
 */
export function uuidv7(): string {
  const now = sharedNow();
  // A clock that was set right is followed at once, backwards too: else ids would stay in the future.
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

/** The Unix time in ms that a UUIDv7 carries. */
export function uuidv7Time(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The smallest UUIDv7 of a moment: the bound of a partition or of a range query. */
export function uuidv7Floor(atMs: number): string {
  return format(atMs, new Uint8Array(10));
}

/** A UUIDv7 whose free bits are SHA-256 of `parts`: the same time and parts always give the same id. */
export function deterministicUuidv7(atMs: number, ...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return format(atMs, hash.digest());
}

/** The 12 bits after the version, by which ids of one millisecond sort. */
export function uuidv7Sequence(id: string): number {
  return Number.parseInt(id.slice(15, 18), 16);
}

/** As {@link deterministicUuidv7}, at a place of its own (0 to 4,095) within its millisecond. */
export function placedUuidv7(atMs: number, place: number, ...parts: string[]): string {
  const id = deterministicUuidv7(atMs, ...parts);
  return `${id.slice(0, 15)}${place.toString(16).padStart(3, "0")}${id.slice(18)}`;
}

/**
 * The WhatsApp message id of an outbound row: the form WhatsApp Web gives its own ("3EB0" + 18 hexadecimal
 * digits), made from the row's id, so that every retry carries the same id and the recipient's phone shows it once.
 */
export function whatsappMessageId(rowId: string): string {
  return `3EB0${createHash("sha256").update(rowId).digest("hex").slice(0, 18).toUpperCase()}`;
}
