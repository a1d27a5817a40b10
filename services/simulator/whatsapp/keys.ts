import { Curve, generateSignalPubKey } from "@whiskeysockets/baileys";
import { createPrivateKey, createPublicKey, hkdfSync } from "node:crypto";
import { calculateSignature, verifySignature } from "whatsapp-rust-bridge";

/** A Curve25519 key pair. Both keys have 32 bytes, without libsignal's leading type byte. */
export type KeyPair = { public: Buffer; private: Buffer };

export type SignedPreKey = { keyId: number; keyPair: KeyPair; signature: Buffer };

/** DER prefix of a PKCS#8 X25519 private key, before its 32 bytes (RFC 8410). */
const pkcs8Prefix = Buffer.from("302e020100300506032b656e04220420", "hex");

export function generateKeyPair(): KeyPair {
  const { public: publicKey, private: privateKey } = Curve.generateKeyPair();
  return { public: Buffer.from(publicKey), private: Buffer.from(privateKey) };
}

/** Derives a key pair deterministically from a seed and a label. */
export function deriveKeyPair(seed: string, label: string): KeyPair {
  const secret = Buffer.from(hkdfSync("sha256", seed, "prosaas simulator", label, 32));
  // RFC 7748 §5: XEdDSA signs with the clamped scalar.
  secret[0]! &= 248;
  secret[31] = (secret[31]! & 127) | 64;
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, secret]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return { public: Buffer.from(spki.subarray(-32)), private: secret };
}

export function sharedKey(own: KeyPair, theirs: Uint8Array): Buffer {
  return Curve.sharedKey(own.private, theirs);
}

/*
 * XEdDSA through WebAssembly. Compatible with libsignal's signatures, and takes 0.15 ms where libsignal's JavaScript
 * takes 5 ms, so that a contact's keys can be created on demand.
 */
export function sign(key: KeyPair, message: Uint8Array): Buffer {
  return Buffer.from(calculateSignature(key.private, message));
}

export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verifySignature(signalKey(publicKey), message, signature);
  } catch {
    return false;
  }
}

/** Returns a public key in libsignal's form: the type byte 05, then the 32 bytes. */
export function signalKey(publicKey: Uint8Array): Buffer {
  return Buffer.from(generateSignalPubKey(publicKey));
}

export function generateSignedPreKey(identity: KeyPair, keyId: number): SignedPreKey {
  const keyPair = generateKeyPair();
  return { keyId, keyPair, signature: sign(identity, signalKey(keyPair.public)) };
}
