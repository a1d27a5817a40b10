import { WA_CERT_DETAILS } from "@whiskeysockets/baileys";
import { z } from "zod";

/** A Noise root in the form of WA_NOISE_ROOT: base64 of an X25519 public key of 32 bytes. */
export const zNoiseRoot = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, "must be base64 of 32 bytes")
  .transform((text) => Buffer.from(text, "base64"));

/**
 * Trusts this root instead of WhatsApp's for the certificate chain of the Noise handshake. Applies to the whole
 * process, since Baileys keeps one root.
 */
export function trustNoiseRoot(root: Uint8Array): void {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root);
}
