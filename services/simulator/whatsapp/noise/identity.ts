import { proto } from "@whiskeysockets/baileys";
import type { KeyPair } from "../keys.ts";
import { deriveKeyPair, sign } from "../keys.ts";

/** The server's identity: a static key, and the certificate chain from the root to it. */
export type NoiseIdentity = {
  /** The root's public key, which clients must trust. */
  root: Buffer;
  staticKey: KeyPair;
  certificateChain: Buffer;
};

const yearS = 365 * 24 * 3600;

/** Derives the root's public key from a seed, without the chain. */
export function noiseRoot(seed: string): Buffer {
  return deriveKeyPair(seed, "noise root").public;
}

/**
 * Creates a valid chain: the root signs the intermediate, the intermediate signs the leaf, and the leaf holds the
 * static key. The intermediate's issuer serial is 0, the serial of WhatsApp's own root, because Baileys checks it.
 */
export function createNoiseIdentity(seed: string, now = Date.now()): NoiseIdentity {
  const root = deriveKeyPair(seed, "noise root");
  const intermediate = deriveKeyPair(seed, "noise intermediate");
  const staticKey = deriveKeyPair(seed, "noise static");
  const validity = { notBefore: Math.floor(now / 1000) - yearS, notAfter: Math.floor(now / 1000) + 10 * yearS };

  const certificate = (issuer: KeyPair, issuerSerial: number, serial: number, key: Buffer) => {
    const details = proto.CertChain.NoiseCertificate.Details.encode({
      serial,
      issuerSerial,
      key,
      ...validity,
    }).finish();
    return { details, signature: sign(issuer, details) };
  };
  const chain = proto.CertChain.encode({
    intermediate: certificate(root, 0, 1, intermediate.public),
    leaf: certificate(intermediate, 1, 2, staticKey.public),
  }).finish();
  return { root: root.public, staticKey, certificateChain: Buffer.from(chain) };
}
