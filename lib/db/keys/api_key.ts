import { randomBytes } from "node:crypto";
import { randomToken, sha256Hex } from "../../core/secret.ts";

/*
 * psk_<prefix>_<secret>: the prefix finds the row and may be shown, the secret proves it. Only the hash of the
 * whole is stored; 256 random bits need no slow hash.
 */
const form = /^psk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{20,128}$/;
const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";

export type NewKey = { key: string; prefix: string; hash: string };

/** A new key; `key` is shown once and never stored. */
export function generateKey(): NewKey {
  const prefix = Array.from(randomBytes(8), (byte) => alphabet[byte % alphabet.length]).join("");
  const key = `psk_${prefix}_${randomToken()}`;
  return { key, prefix, hash: hashKey(key) };
}

export function hashKey(key: string): string {
  return sha256Hex(key);
}

/** The prefix of something that has the form of a key. */
export function keyPrefix(key: string): string | undefined {
  return form.exec(key)?.[1];
}
