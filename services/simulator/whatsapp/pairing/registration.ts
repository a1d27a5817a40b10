import type { proto } from "@whiskeysockets/baileys";
import type { ClientHello } from "../noise/handshake.ts";

/** What an unlinked companion tells of itself when it connects. */
export type Registration = {
  noiseKey: Buffer;
  identity: Buffer;
  registrationId: number;
  signedPreKey: { keyId: number; public: Buffer; signature: Buffer };
};

/** Throws if a field is missing or of the wrong size. */
export function parseRegistration(
  hello: ClientHello,
  data: proto.ClientPayload.IDevicePairingRegistrationData,
): Registration {
  const field = (name: keyof typeof data, size: number): Buffer => {
    const value = data[name];
    if (!(value instanceof Uint8Array) || value.length !== size)
      throw new Error(`the registration's ${name} is not ${size} bytes long`);
    return Buffer.from(value);
  };
  return {
    noiseKey: hello.staticKey,
    identity: field("eIdent", 32),
    registrationId: field("eRegid", 4).readUInt32BE(),
    signedPreKey: {
      keyId: field("eSkeyId", 3).readUIntBE(0, 3),
      public: field("eSkeyVal", 32),
      signature: field("eSkeySig", 64),
    },
  };
}
