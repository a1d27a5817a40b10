import { createHash, createHmac, createCipheriv, hkdfSync, randomBytes } from "node:crypto";
import { Curve, proto } from "@whiskeysockets/baileys";
import type { AuthenticationCreds } from "@whiskeysockets/baileys";

/*
 * The companion's side of the key agreement that links a device with a passkey ("shortcake" in WhatsApp Web). The
 * companion commits to a nonce before it sees the phone's key, so that an attacker between the two cannot choose
 * keys that give both the same code.
 */

/** The kind of device that the registration names, see `DeviceProps.platformType`. */
const deviceType = proto.DeviceProps.PlatformType.CHROME;
/** No 0, I, O or U, which are easily misread. */
const codeAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
const codeBytes = 5;

/** The companion's secrets of one exchange, until the phone has answered. */
export type Prologue = { privateKey: Uint8Array; nonce: Buffer; ref: string; payload: Buffer };

/** The key that proves to the phone that the companion is the one that showed the QR code or the pairing code. */
export function handoffKeyOf(advSecret: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", advSecret, "", "shortcake-passkey-handoff-v1", 32));
}

export function handoffProof(key: Buffer, { payload }: Prologue): Buffer {
  return createHmac("sha256", key).update(payload).digest();
}

export function createPrologue(ref: string): Prologue {
  const keys = Curve.generateKeyPair();
  const nonce = randomBytes(32);
  const identity = proto.CompanionEphemeralIdentity.encode({ publicKey: keys.public, deviceType, ref }).finish();
  const hash = createHash("sha256").update(identity).update(nonce).digest();
  const payload = proto.ProloguePayload.encode({ companionEphemeralIdentity: identity, commitment: { hash } }).finish();
  return { privateKey: keys.private, nonce, ref, payload: Buffer.from(payload) };
}

/** The phone's answer to the prologue. */
export type PhoneIdentity = { publicKey: Buffer; nonce: Buffer };

/** Parses the phone's answer. Undefined if it is malformed. */
export function parsePhoneIdentity(bytes: Uint8Array): PhoneIdentity | undefined {
  try {
    const { publicKey, nonce } = proto.PrimaryEphemeralIdentity.decode(bytes);
    if (publicKey?.length !== 32 || nonce?.length !== 32) return undefined;
    return { publicKey: Buffer.from(publicKey), nonce: Buffer.from(nonce) };
  } catch {
    return undefined;
  }
}

/** The code that the phone shows too, such as "7K2M-QX4P". */
export function confirmationCode({ nonce }: Prologue, phone: PhoneIdentity): string {
  const digest = createHash("sha256").update(nonce).update(phone.publicKey).digest();
  const bits = Array.from({ length: codeBytes }, (_, i) => (phone.nonce[i]! ^ digest[i]!).toString(2).padStart(8, "0"));
  const letters = bits
    .join("")
    .match(/.{5}/g)!
    .map((five) => codeAlphabet[parseInt(five, 2)]);
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

/** The key under which the companion's keys travel. Undefined for a public key that forces a known secret. */
export function encryptionKeyOf({ privateKey, ref }: Prologue, phone: PhoneIdentity): Buffer | undefined {
  const shared = Curve.sharedKey(privateKey, phone.publicKey);
  if (shared.every((byte) => byte === 0)) return undefined;
  const salt = `Companion Pairing ${deviceType} with ref ${ref}`;
  return Buffer.from(hkdfSync("sha256", shared, salt, "Pairing Information Encryption Key", 32));
}

/** The companion's public keys and its ADV secret, for the phone only. */
export function sealPairingRequest(key: Buffer, creds: AuthenticationCreds): Buffer {
  const request = proto.PairingRequest.encode({
    companionPublicKey: creds.noiseKey.public,
    companionIdentityKey: creds.signedIdentityKey.public,
    advSecret: Buffer.from(creds.advSecretKey, "base64"),
  }).finish();
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const encryptedPayload = Buffer.concat([cipher.update(request), cipher.final(), cipher.getAuthTag()]);
  return Buffer.from(proto.EncryptedPairingRequest.encode({ encryptedPayload, iv }).finish());
}
