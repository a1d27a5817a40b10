import { proto } from "@whiskeysockets/baileys";
import type { ClientHello } from "../noise/handshake.ts";

/** The keys that an unlinked companion sends when it connects. */
export type Registration = {
  noiseKey: Buffer;
  identity: Buffer;
  registrationId: number;
  signedPreKey: { keyId: number; public: Buffer; signature: Buffer };
  /** The device's name, as the phone lists it. */
  name: string;
};

/** Parses a registration. Throws if a field is missing or has the wrong size. */
export function parseRegistration(
  hello: ClientHello,
  data: proto.ClientPayload.IDevicePairingRegistrationData,
): Registration {
  const field = (name: keyof typeof data, size: number): Buffer => {
    const value = data[name];
    if (!(value instanceof Uint8Array) || value.length !== size)
      throw new Error(`the registration's ${name} does not have ${size} bytes`);
    return Buffer.from(value);
  };
  return {
    noiseKey: hello.staticKey,
    name: proto.DeviceProps.decode(data.deviceProps ?? new Uint8Array()).os ?? "",
    identity: field("eIdent", 32),
    registrationId: field("eRegid", 4).readUInt32BE(),
    signedPreKey: {
      keyId: field("eSkeyId", 3).readUIntBE(0, 3),
      public: field("eSkeyVal", 32),
      signature: field("eSkeySig", 64),
    },
  };
}
