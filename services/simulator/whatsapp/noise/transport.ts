import { aesDecryptGCM, aesEncryptGCM } from "@whiskeysockets/baileys";

const noData = Buffer.alloc(0);

/** Returns an AES-GCM nonce: 8 zero bytes, then the counter as a big-endian u32. */
export function nonce(counter: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

/** Encryption after the handshake: AES-256-GCM with a key and counter for each direction. Frames must stay in order. */
export class NoiseTransport {
  readonly #sendKey: Buffer;
  readonly #receiveKey: Buffer;
  #sent = 0;
  #received = 0;

  constructor(sendKey: Buffer, receiveKey: Buffer) {
    this.#sendKey = sendKey;
    this.#receiveKey = receiveKey;
  }

  encrypt(plaintext: Uint8Array): Buffer {
    return aesEncryptGCM(plaintext, this.#sendKey, nonce(this.#sent++), noData);
  }

  /** Decrypts a frame. Throws if the peer did not send it, or not in this order. */
  decrypt(ciphertext: Uint8Array): Buffer {
    return aesDecryptGCM(ciphertext, this.#receiveKey, nonce(this.#received++), noData);
  }
}
