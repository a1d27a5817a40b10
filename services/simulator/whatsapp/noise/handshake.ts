import {
  aesDecryptGCM,
  aesEncryptGCM,
  hkdf,
  NOISE_MODE,
  NOISE_WA_HEADER,
  proto,
  sha256,
} from "@whiskeysockets/baileys";
import type { KeyPair } from "../keys.ts";
import { generateKeyPair, sharedKey } from "../keys.ts";
import type { NoiseIdentity } from "./identity.ts";
import { nonce, NoiseTransport } from "./transport.ts";

export type ClientHello = {
  /** The client's Noise static key, which identifies the device at every login. */
  staticKey: Buffer;
  payload: proto.ClientPayload;
  transport: NoiseTransport;
};

/** The server's half of WhatsApp's Noise_XX_25519_AESGCM_SHA256 handshake. Call `hello`, then `finish`, once each. */
export class NoiseHandshake {
  readonly #identity: NoiseIdentity;
  readonly #ephemeral: KeyPair = generateKeyPair();
  #clientEphemeral: Buffer = Buffer.alloc(0);
  #hash: Buffer = Buffer.from(NOISE_MODE);
  #chainingKey: Buffer = this.#hash;
  #key: Buffer = this.#hash;
  #counter = 0;

  constructor(identity: NoiseIdentity) {
    this.#identity = identity;
    this.#authenticate(NOISE_WA_HEADER);
  }

  /** Processes the client's first frame and returns the answer. */
  hello(frame: Uint8Array): Uint8Array {
    const { clientHello } = proto.HandshakeMessage.decode(frame);
    if (clientHello?.ephemeral?.length !== 32) throw new Error("the first frame is not a client hello");
    this.#clientEphemeral = Buffer.from(clientHello.ephemeral);
    this.#authenticate(this.#clientEphemeral);
    this.#authenticate(this.#ephemeral.public);
    this.#mix(sharedKey(this.#ephemeral, this.#clientEphemeral));
    const encryptedStatic = this.#encrypt(this.#identity.staticKey.public);
    this.#mix(sharedKey(this.#identity.staticKey, this.#clientEphemeral));
    const payload = this.#encrypt(this.#identity.certificateChain);
    return proto.HandshakeMessage.encode({
      serverHello: { ephemeral: this.#ephemeral.public, static: encryptedStatic, payload },
    }).finish();
  }

  /** Processes the client's second frame and returns its identity and the transport. Throws if it is not authentic. */
  finish(frame: Uint8Array): ClientHello {
    const { clientFinish } = proto.HandshakeMessage.decode(frame);
    if (!clientFinish?.static || !clientFinish.payload) throw new Error("the second frame is not a client finish");
    const staticKey = this.#decrypt(clientFinish.static);
    this.#mix(sharedKey(this.#ephemeral, staticKey));
    const payload = proto.ClientPayload.decode(this.#decrypt(clientFinish.payload));
    const [clientToServer, serverToClient] = this.#expand(Buffer.alloc(0));
    return { staticKey, payload, transport: new NoiseTransport(serverToClient, clientToServer) };
  }

  #authenticate(data: Uint8Array): void {
    this.#hash = sha256(Buffer.concat([this.#hash, data]));
  }

  #expand(secret: Buffer): [Buffer, Buffer] {
    const expanded = Buffer.from(hkdf(secret, 64, { salt: this.#chainingKey, info: "" }));
    return [expanded.subarray(0, 32), expanded.subarray(32)];
  }

  #mix(secret: Buffer): void {
    [this.#chainingKey, this.#key] = this.#expand(secret);
    this.#counter = 0;
  }

  #encrypt(plaintext: Uint8Array): Buffer {
    const ciphertext = aesEncryptGCM(plaintext, this.#key, nonce(this.#counter++), this.#hash);
    this.#authenticate(ciphertext);
    return ciphertext;
  }

  #decrypt(ciphertext: Uint8Array): Buffer {
    const plaintext = aesDecryptGCM(ciphertext, this.#key, nonce(this.#counter++), this.#hash);
    this.#authenticate(ciphertext);
    return plaintext;
  }
}
