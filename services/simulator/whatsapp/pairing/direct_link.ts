import { z } from "@hono/zod-openapi";
import type { Phone } from "../phones/phone.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";
import { signDevice } from "./adv.ts";

const bytes = (size: number) =>
  z
    .base64()
    .max(100)
    .transform((text) => Buffer.from(text, "base64"))
    .refine(({ length }) => length === size, { message: `must have ${size} bytes` });
const keyId = z
  .int()
  .min(1)
  .max(2 ** 24 - 1);

/** The registration of a client that is linked without a connection, and the secret of its QR code. */
export const directLink = z.strictObject({
  noise_key: bytes(32),
  identity: bytes(32),
  registration_id: z.int().min(0).max(0x3fff),
  signed_pre_key: z.strictObject({ id: keyId, key: bytes(32), signature: bytes(64) }),
  pre_keys: z.array(z.strictObject({ id: keyId, key: bytes(32) })).max(1000),
  adv_secret: bytes(32),
});

/** The contents of pair-success, with which the client can log in. */
export type DirectLink = { device: number; jid: string; lid: string; name: string; device_identity: string };

/** Links a client whose keys are given, as after a scan and the first sync, in a fraction of its CPU time. */
export function linkDirectly(phone: Phone, registration: z.output<typeof directLink>): DirectLink {
  const { noise_key: noiseKey, identity, signed_pre_key: signed, pre_keys: preKeys } = registration;
  const device = phone.link({
    id: phone.nextDeviceId(),
    noiseKey,
    identity,
    registrationId: registration.registration_id,
    signedPreKey: { keyId: signed.id, public: signed.key, signature: signed.signature },
    linkedAt: Date.now(),
    synced: true,
  });
  device.addPreKeys(preKeys.map(({ id, key }) => ({ keyId: id, public: key })));
  const { envelope } = signDevice(phone.identity, identity, device.id, registration.adv_secret);
  return {
    device: device.id,
    jid: phoneJid(phone.phone, device.id),
    lid: lidJid(phone.lid, device.id),
    name: phone.name,
    device_identity: envelope.toString("base64"),
  };
}
