import { WA_CERT_DETAILS } from "@whiskeysockets/baileys";
import { z } from "zod";

/** A Noise root as WA_NOISE_ROOT gives it: base64 of an X25519 public key of 32 bytes. */
export const zNoiseRoot = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, "must be base64 of 32 bytes")
  .transform((text) => Buffer.from(text, "base64"));

/**
 * Trusts this root, and no longer WhatsApp's, for the certificate chain that a server shows in the Noise
 * handshake. For the whole process: Baileys keeps one.
 */
export function trustNoiseRoot(root: Uint8Array): void {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root);
}
