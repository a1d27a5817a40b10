import { hmacSign, proto, WA_ADV_ACCOUNT_SIG_PREFIX, WA_ADV_DEVICE_SIG_PREFIX } from "@whiskeysockets/baileys";
import { randomInt } from "node:crypto";
import type { KeyPair } from "../keys.ts";
import { sign, verify } from "../keys.ts";

/** The phone's signed identity of a companion, and the details that the companion signs in turn. */
export type DeviceSignature = { details: Buffer; envelope: Buffer };

/**
 * Signs a companion's identity with the phone's account key, and authenticates the result with the ADV secret, which
 * the phone got from the QR code or agreed on by pairing code.
 */
export function signDevice(
  account: KeyPair,
  companionIdentity: Uint8Array,
  keyIndex: number,
  advSecret: Uint8Array,
): DeviceSignature {
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

/** True if the companion's answer to pair-success has its valid signature for the account. */
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
