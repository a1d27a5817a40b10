import { aesDecryptGCM, aesEncryptGCM } from "@whiskeysockets/baileys";

const noData = Buffer.alloc(0);

/** 8 zero bytes, then the counter as u32 big-endian. */
export function nonce(counter: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

/** After the handshake: AES-256-GCM, a key and a counter a direction. Frames must pass in the order they travel. */
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

  /** Throws if the frame was not written by the peer, or not in this place. */
  decrypt(ciphertext: Uint8Array): Buffer {
    return aesDecryptGCM(ciphertext, this.#receiveKey, nonce(this.#received++), noData);
  }
}
