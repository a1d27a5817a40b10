import { randomInt } from "node:crypto";
import { generateKeyPair, generateSignedPreKey } from "../keys.ts";
import type { Device } from "./device.ts";
import type { Phone } from "./phone.ts";
import type { Simulation } from "../simulation.ts";

/** One-time keys of the companion: more than one run starts sessions with it. */
const preKeys = 20;

/**
 * Links a companion that never connects: others encrypt for it, and its stanzas stay in its mailbox. Announces it to no
 * client, so that a client which knows the phone's devices misses it until it queries them again.
 */
export function linkOffline({ logger }: Simulation, phone: Phone): Device {
  const identity = generateKeyPair();
  const { keyId, keyPair, signature } = generateSignedPreKey(identity, 1);
  const device = phone.link({
    id: phone.nextDeviceId(),
    noiseKey: generateKeyPair().public,
    identity: identity.public,
    registrationId: randomInt(1, 0x3fff),
    signedPreKey: { keyId, public: keyPair.public, signature },
    linkedAt: Date.now(),
    name: "offline",
    synced: true,
  });
  device.addPreKeys(Array.from({ length: preKeys }, (_, n) => ({ keyId: n + 1, public: generateKeyPair().public })));
  logger.debug({ phone: phone.phone, device: device.id }, "linked an offline companion");
  return device;
}
