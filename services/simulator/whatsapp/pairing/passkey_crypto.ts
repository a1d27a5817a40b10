import { createDecipheriv, createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { proto } from "@whiskeysockets/baileys";
import type { KeyPair } from "../keys.ts";
import { sharedKey } from "../keys.ts";

/*
 * The phone's side of the passkey exchange: its key agreement with the companion. Written from the protocol alone, so
 * that a client that passes it does not merely agree with itself.
 */

const tagLength = 16;
const codeAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/** The companion's commitment, made before it knows the phone's key. */
export type Prologue = { identity: Buffer; publicKey: Buffer; deviceType: number; ref: string; commitment: Buffer };

/** Parses the companion's prologue. Throws if a field is missing or has the wrong size. */
export function parsePrologue(payload: Buffer): Prologue {
  const { companionEphemeralIdentity, commitment } = proto.ProloguePayload.decode(payload);
  const identity = Buffer.from(companionEphemeralIdentity ?? []);
  const { publicKey, deviceType, ref } = proto.CompanionEphemeralIdentity.decode(identity);
  if (publicKey?.length !== 32 || commitment?.hash?.length !== 32 || !deviceType || !ref)
    throw new Error("the prologue payload is incomplete");
  return { identity, publicKey: Buffer.from(publicKey), deviceType, ref, commitment: Buffer.from(commitment.hash) };
}

/** True if the companion knows the secret with which it was linked before the passkey was requested. */
export function isHandoffProof(proof: Buffer, priorSecret: Buffer, payload: Buffer): boolean {
  const key = Buffer.from(hkdfSync("sha256", priorSecret, "", "shortcake-passkey-handoff-v1", 32));
  const expected = createHmac("sha256", key).update(payload).digest();
  return proof.length === expected.length && timingSafeEqual(proof, expected);
}

/** True if the nonce is the one that the prologue committed to. */
export function opensCommitment({ identity, commitment }: Prologue, nonce: Buffer): boolean {
  return createHash("sha256").update(identity).update(nonce).digest().equals(commitment);
}

/** The code that the phone shows, such as "7K2M-QX4P". */
export function codeOf(phoneNonce: Buffer, companionNonce: Buffer, phonePublicKey: Buffer): string {
  const digest = createHash("sha256").update(companionNonce).update(phonePublicKey).digest();
  let bits = 0n;
  for (let i = 0; i < 5; i++) bits = (bits << 8n) | BigInt(phoneNonce[i]! ^ digest[i]!);
  const letters = Array.from({ length: 8 }, (_, i) => codeAlphabet[Number((bits >> BigInt(5 * (7 - i))) & 31n)]);
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

/** Decrypts the companion's keys and its new ADV secret. Throws if it used another key. */
export function openPairingRequest(ephemeral: KeyPair, { publicKey, deviceType, ref }: Prologue, request: Buffer) {
  const { encryptedPayload, iv } = proto.EncryptedPairingRequest.decode(request);
  if (iv?.length !== 12 || !encryptedPayload || encryptedPayload.length <= tagLength)
    throw new Error("the encrypted pairing request is incomplete");
  const salt = `Companion Pairing ${deviceType} with ref ${ref}`;
  const shared = sharedKey(ephemeral, publicKey);
  const key = Buffer.from(hkdfSync("sha256", shared, salt, "Pairing Information Encryption Key", 32));
  const decipher = createDecipheriv("aes-256-gcm", key, iv);
  const end = encryptedPayload.length - tagLength;
  decipher.setAuthTag(encryptedPayload.subarray(end));
  const opened = Buffer.concat([decipher.update(encryptedPayload.subarray(0, end)), decipher.final()]);
  const { companionPublicKey, companionIdentityKey, advSecret } = proto.PairingRequest.decode(opened);
  if (advSecret?.length !== 32) throw new Error("the ADV secret does not have 32 bytes");
  return {
    noiseKey: Buffer.from(companionPublicKey ?? []),
    identity: Buffer.from(companionIdentityKey ?? []),
    advSecret: Buffer.from(advSecret),
  };
}
