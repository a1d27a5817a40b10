import { Curve } from "@whiskeysockets/baileys";
import { SessionRecord } from "libsignal";
import type { SignalStorage } from "libsignal";

const keyPair = () => {
  const pair = Curve.generateKeyPair();
  return { privKey: Buffer.from(pair.private), pubKey: Buffer.concat([Buffer.from([5]), pair.public]) };
};

/** Creates one end of a Signal session. Its store serialises the records and parses them again. */
export function party() {
  const identity = keyPair();
  const signedPreKey = keyPair();
  const signature = Curve.sign(identity.privKey, signedPreKey.pubKey);
  const preKeys = new Map<number, ReturnType<typeof keyPair>>();
  /** The stored records as JSON, by address. */
  const records = new Map<string, string>();
  const storage: SignalStorage = {
    loadSession: async (id) => {
      const stored = records.get(id);
      return stored === undefined ? undefined : SessionRecord.deserialize(JSON.parse(stored));
    },
    storeSession: async (id, record) => void records.set(id, JSON.stringify(record.serialize())),
    isTrustedIdentity: () => true,
    loadPreKey: async (id) => preKeys.get(Number(id)),
    removePreKey: (id) => void preKeys.delete(id),
    loadSignedPreKey: () => signedPreKey,
    getOurRegistrationId: () => 1,
    getOurIdentity: () => identity,
  };
  const bundle = (keyId: number) => {
    const preKey = keyPair();
    preKeys.set(keyId, preKey);
    return {
      registrationId: 1,
      identityKey: identity.pubKey,
      signedPreKey: { keyId: 1, publicKey: signedPreKey.pubKey, signature },
      preKey: { keyId, publicKey: preKey.pubKey },
    };
  };
  return { storage, records, bundle };
}
