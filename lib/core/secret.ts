import { hash, randomBytes, timingSafeEqual } from "node:crypto";

/** Returns the lower-case hexadecimal SHA-256 of a UTF-8 string. */
export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}

/** Compares two strings in constant time. Hashes both first, so that the time depends on neither content nor length. */
export function safeEqual(a: string, b: string): boolean {
  return timingSafeEqual(hash("sha256", a, "buffer"), hash("sha256", b, "buffer"));
}

/** Creates a random token with `bytes` bytes of entropy, in base64url without padding. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}
