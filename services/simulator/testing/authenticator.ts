import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** Options of a passkey request, as WebAuthn's JSON has them. */
export type RequestOptions = { challenge: string; rpId?: string | undefined };

export type Assertion = {
  id: string;
  rawId: string;
  type: "public-key";
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle: string | null };
};

/** Changes to what a correct authenticator and browser would answer. */
export type Deviation = {
  challenge?: string;
  origin?: string;
  rpId?: string;
  flags?: number;
  key?: KeyObject;
  id?: string;
  type?: string;
};

const presentAndVerified = 0x05;

/** An authenticator with one passkey, and the browser that asks it on WhatsApp Web's page. */
export class Authenticator {
  readonly id = randomBytes(32).toString("base64url");
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  #signCount = 0;

  /** The passkey as the simulator registers it. */
  get credential(): { id: string; public_key: string } {
    const spki = this.#keys.publicKey.export({ format: "der", type: "spki" });
    return { id: this.id, public_key: spki.toString("base64url") };
  }

  /** The private key in PKCS#8, for a browser's virtual authenticator. */
  get privateKey(): Buffer {
    return this.#keys.privateKey.export({ format: "der", type: "pkcs8" });
  }

  assert({ challenge, rpId = "whatsapp.com" }: RequestOptions, deviation: Deviation = {}): Assertion {
    const clientData = Buffer.from(
      JSON.stringify({
        type: deviation.type ?? "webauthn.get",
        challenge: deviation.challenge ?? challenge,
        origin: deviation.origin ?? "https://web.whatsapp.com",
        crossOrigin: false,
      }),
    );
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(++this.#signCount);
    const flags = Buffer.from([deviation.flags ?? presentAndVerified]);
    const data = Buffer.concat([sha256(Buffer.from(deviation.rpId ?? rpId)), flags, counter]);
    const signature = sign("sha256", Buffer.concat([data, sha256(clientData)]), deviation.key ?? this.#keys.privateKey);
    const id = deviation.id ?? this.id;
    return {
      id,
      rawId: id,
      type: "public-key",
      response: {
        clientDataJSON: clientData.toString("base64url"),
        authenticatorData: data.toString("base64url"),
        signature: signature.toString("base64url"),
        userHandle: null,
      },
    };
  }
}

const sha256 = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();
