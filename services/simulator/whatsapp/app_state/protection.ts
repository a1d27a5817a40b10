import { createCipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

/** A change of one record. `value` is the encoded action, without which the record is removed. */
export type Mutation = { index: string[]; value?: Buffer | undefined };

export type SealedMutation = { remove: boolean; indexMac: Buffer; blob: Buffer; valueMac: Buffer };

const keyBytes = 32;
const hashBytes = 128;

const mac = (key: Buffer, ...parts: Uint8Array[]) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();

const counter = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** The keys that protect an app state, derived from the one that the phone shares with its companions. */
export class Protection {
  readonly #keyId: Buffer;
  readonly #keys: Buffer[];

  constructor(keyId: Buffer, key: Buffer) {
    this.#keyId = keyId;
    const derived = Buffer.from(hkdfSync("sha256", key, Buffer.alloc(0), "WhatsApp Mutation Keys", 5 * keyBytes));
    this.#keys = [0, 1, 2, 3, 4].map((n) => derived.subarray(n * keyBytes, (n + 1) * keyBytes));
  }

  /** Encrypts a record. `data` has the index and the value. */
  seal(index: Buffer, data: Buffer, remove: boolean): SealedMutation {
    const [indexKey, encryptionKey, valueKey] = this.#keys as [Buffer, Buffer, Buffer];
    const iv = randomBytes(16);
    const cipher = createCipheriv("aes-256-cbc", encryptionKey, iv);
    const encrypted = Buffer.concat([iv, cipher.update(data), cipher.final()]);
    const header = Buffer.concat([Buffer.from([remove ? 2 : 1]), this.#keyId]);
    const valueMac = createHmac("sha512", valueKey)
      .update(Buffer.concat([header, encrypted, counter(header.length)]))
      .digest()
      .subarray(0, 32);
    return { remove, indexMac: mac(indexKey, index), blob: Buffer.concat([encrypted, valueMac]), valueMac };
  }

  snapshotMac(collection: string, version: number, hash: Buffer): Buffer {
    return mac(this.#keys[3]!, hash, counter(version), Buffer.from(collection));
  }

  patchMac(collection: string, version: number, snapshotMac: Buffer, valueMacs: Buffer[]): Buffer {
    return mac(this.#keys[4]!, snapshotMac, ...valueMacs, counter(version), Buffer.from(collection));
  }
}

/** The sum over a collection's records to which a record was added, or from which it was removed. */
export function mixed(hash: Buffer, valueMac: Buffer, sign: 1 | -1): Buffer {
  const derived = Buffer.from(hkdfSync("sha256", valueMac, Buffer.alloc(0), "WhatsApp Patch Integrity", hashBytes));
  const sum = Buffer.alloc(hashBytes);
  for (let at = 0; at < hashBytes; at += 2) {
    sum.writeUInt16LE((hash.readUInt16LE(at) + sign * derived.readUInt16LE(at)) & 0xffff, at);
  }
  return sum;
}

export const emptyHash = (): Buffer => Buffer.alloc(hashBytes);
