import { configureSuccessfulPairing, Curve, initAuthCreds } from "@whiskeysockets/baileys";
import type { AuthenticationCreds, BinaryNode, SignalKeyStore } from "@whiskeysockets/baileys";
import type { DirectLink } from "../whatsapp/pairing/direct_link.ts";

/** One-time keys of a login: more than contacts take in one run, and above Baileys' least, at which it uploads 812. */
const preKeyCount = 20;

/** A linked login as a client stores it. */
export type LinkedLogin = {
  creds: AuthenticationCreds;
  preKeys: NonNullable<Parameters<SignalKeyStore["set"]>[0]["pre-key"]>;
};

/** Links a new client to a phone without a connection. `link` sends the registration to `POST /phones/:phone/links`. */
export async function linkDirectly(link: (registration: object) => Promise<DirectLink>): Promise<LinkedLogin> {
  const creds = initAuthCreds();
  const preKeys = Object.fromEntries(
    Array.from({ length: preKeyCount }, (_, n) => [n + 1, Curve.generateKeyPair()] as const),
  );
  const base64 = (key: Uint8Array) => Buffer.from(key).toString("base64");
  const { keyId, keyPair, signature } = creds.signedPreKey;
  const linked = await link({
    noise_key: base64(creds.noiseKey.public),
    identity: base64(creds.signedIdentityKey.public),
    registration_id: creds.registrationId,
    signed_pre_key: { id: keyId, key: base64(keyPair.public), signature: base64(signature) },
    pre_keys: Object.entries(preKeys).map(([id, key]) => ({ id: Number(id), key: base64(key.public) })),
    adv_secret: creds.advSecretKey,
  });
  Object.assign(creds, configureSuccessfulPairing(pairSuccess(linked), creds).creds, {
    nextPreKeyId: preKeyCount + 1,
    firstUnuploadedPreKeyId: preKeyCount + 1,
    // Baileys awaits a history after the first login, and after no later one.
    accountSyncCounter: 1,
  });
  return { creds, preKeys };
}

/** The stanza with which WhatsApp ends a pairing. */
const pairSuccess = ({ device_identity: identity, name, jid, lid }: DirectLink): BinaryNode => ({
  tag: "iq",
  attrs: { id: "1" },
  content: [
    {
      tag: "pair-success",
      attrs: {},
      content: [
        { tag: "device-identity", attrs: {}, content: Buffer.from(identity, "base64") },
        { tag: "biz", attrs: { name } },
        { tag: "platform", attrs: { name: "android" } },
        { tag: "device", attrs: { jid, lid } },
      ],
    },
  ],
});
