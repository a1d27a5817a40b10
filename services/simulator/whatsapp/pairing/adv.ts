import { hmacSign, proto, WA_ADV_ACCOUNT_SIG_PREFIX, WA_ADV_DEVICE_SIG_PREFIX } from "@whiskeysockets/baileys";
import { randomInt } from "node:crypto";
import type { KeyPair } from "../keys.ts";
import { sign, verify } from "../keys.ts";

/** The phone's word for a companion, and what is needed to check the companion's word for it. */
export type DeviceVoucher = { details: Buffer; envelope: Buffer };

/**
 * The phone vouches for a companion: its account key signs the companion's identity, and the whole is authenticated
 * with the secret that the companion showed it (in the QR code, or agreed by the pairing code).
 */
export function vouch(
  account: KeyPair,
  companionIdentity: Uint8Array,
  keyIndex: number,
  advSecret: Uint8Array,
): DeviceVoucher {
  const details = Buffer.from(
    proto.ADVDeviceIdentity.encode({
      rawId: randomInt(1, 2 ** 31),
      timestamp: Math.floor(Date.now() / 1000),
      keyIndex,
      accountType: proto.ADVEncryptionType.E2EE,
      deviceType: proto.ADVEncryptionType.E2EE,
    }).finish(),
  );
  const accountSignature = sign(account, Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, companionIdentity]));
  const signed = proto.ADVSignedDeviceIdentity.encode({
    details,
    accountSignatureKey: account.public,
    accountSignature,
  }).finish();
  const hmac = hmacSign(signed, advSecret);
  return {
    details,
    envelope: Buffer.from(proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish()),
  };
}

/** Whether the companion signed for the account, as it does in answer to pair-success. */
export function companionSigned(
  account: KeyPair,
  companionIdentity: Uint8Array,
  details: Uint8Array,
  answer: Uint8Array,
): boolean {
  const { deviceSignature } = proto.ADVSignedDeviceIdentity.decode(answer);
  if (!deviceSignature) return false;
  const message = Buffer.concat([WA_ADV_DEVICE_SIG_PREFIX, details, companionIdentity, account.public]);
  return verify(companionIdentity, message, deviceSignature);
}
