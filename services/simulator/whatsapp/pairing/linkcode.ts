import { aesDecryptCTR, aesDecryptGCM, aesEncryptCTR, derivePairingCodeKey, hkdf } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import type { KeyPair } from "../keys.ts";
import { generateKeyPair, sharedKey } from "../keys.ts";

/** The phone's state of a key agreement by pairing code, between the entry of the code and the companion's finish. */
export type LinkCodeExchange = { ephemeral: KeyPair; companionEphemeral: Buffer; wrappedEphemeral: Buffer };

/** Unwraps the companion's key with the code. Wrapped keys are salt (32), IV (16), and the key under AES-CTR. */
export async function answerHello(code: string, wrappedCompanionEphemeral: Buffer): Promise<LinkCodeExchange> {
  if (wrappedCompanionEphemeral.length !== 80) throw new Error("the companion's wrapped key does not have 80 bytes");
  const companionEphemeral = aesDecryptCTR(
    wrappedCompanionEphemeral.subarray(48),
    await derivePairingCodeKey(code, wrappedCompanionEphemeral.subarray(0, 32)),
    wrappedCompanionEphemeral.subarray(32, 48),
  );
  const ephemeral = generateKeyPair();
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const wrapped = aesEncryptCTR(ephemeral.public, await derivePairingCodeKey(code, salt), iv);
  return { ephemeral, companionEphemeral, wrappedEphemeral: Buffer.concat([salt, iv, wrapped]) };
}

/** Derives the shared ADV secret. Throws if the companion's bundle cannot be decrypted, because the code was wrong. */
export function agree(
  exchange: LinkCodeExchange,
  identity: KeyPair,
  companionIdentity: Buffer,
  bundle: Buffer,
): Buffer {
  const shared = sharedKey(exchange.ephemeral, exchange.companionEphemeral);
  const key = Buffer.from(
    hkdf(shared, 32, { salt: bundle.subarray(0, 32), info: "link_code_pairing_key_bundle_encryption_key" }),
  );
  const opened = aesDecryptGCM(bundle.subarray(44), key, bundle.subarray(32, 44), Buffer.alloc(0));
  if (!opened.subarray(0, 32).equals(companionIdentity) || !opened.subarray(32, 64).equals(identity.public)) {
    throw new Error("the companion's bundle has other identity keys");
  }
  const random = opened.subarray(64);
  const secret = Buffer.concat([shared, sharedKey(identity, companionIdentity), random]);
  return Buffer.from(hkdf(secret, 32, { info: "adv_secret" }));
}
