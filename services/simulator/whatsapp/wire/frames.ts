import { NOISE_WA_HEADER } from "@whiskeysockets/baileys";

const header = Buffer.from(NOISE_WA_HEADER);
/** "ED" 00 01, then a 3-byte length and routing info. A client that received an edge route sends this first. */
const edgeRouting = Buffer.from([0x45, 0x44, 0x00, 0x01]);

/** Encodes a frame: a 3-byte big-endian length, then the body. */
export function frame(body: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(3 + body.length);
  framed.writeUIntBE(body.length, 0, 3);
  framed.set(body, 3);
  return framed;
}

/** Splits a byte stream into frames after the client's intro. A WebSocket message may hold several frames or a part. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #introRead = false;

  /** Returns the frames that `chunk` completes, in order. Throws if the stream lacks WhatsApp's header. */
  push(chunk: Buffer): Buffer[] {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#bytes, chunk]);
    if (!this.#introRead && !this.#readIntro()) return [];
    const frames: Buffer[] = [];
    for (;;) {
      if (this.#bytes.length < 3) return frames;
      const end = 3 + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return frames;
      frames.push(this.#bytes.subarray(3, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #readIntro(): boolean {
    let at = 0;
    if (this.#bytes.subarray(0, 4).equals(edgeRouting)) {
      if (this.#bytes.length < 7) return false;
      at = 7 + this.#bytes.readUIntBE(4, 3);
    }
    if (this.#bytes.length < at + header.length) return false;
    if (!this.#bytes.subarray(at, at + header.length).equals(header))
      throw new Error("the stream does not start with WhatsApp's header");
    this.#bytes = this.#bytes.subarray(at + header.length);
    this.#introRead = true;
    return true;
  }
}
