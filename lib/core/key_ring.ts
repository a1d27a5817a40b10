import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/** A sealed value: which key of the ring sealed it, and nonce ‖ ciphertext ‖ tag. */
export type Sealed = { keyId: string; box: Uint8Array };

/** Seals and opens the values of one store. */
export type Sealer = {
  /** The id of the key that `seal` uses at present. */
  readonly keyId: string;
  /** `context` is authenticated, not stored: a value moved to another name or another business does not open. */
  seal(plain: Uint8Array, context: string): Sealed;
  /** @throws UnknownKey, TamperedValue */
  open(sealed: Sealed, context: string): Buffer;
};

/** Signs texts that come back from strangers. */
export type Signer = {
  /** `keyId.signature`, of letters that a URL takes as they are. */
  sign(text: string): string;
  /** Whether a key of the ring made this signature of this text; compared in constant time. */
  verify(text: string, signature: string): boolean;
};

export class UnknownKey extends Error {
  constructor(keyId: string) {
    super(`the ring holds no key of the id "${keyId}"`);
  }
}

export class TamperedValue extends Error {
  constructor(keyId: string) {
    super(
      `a value does not open under the key "${keyId}": it was sealed under another key of that id, for another business, or was altered`,
    );
  }
}

function parseKeys(text: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [position, part] of text.split(",").entries()) {
    const [, id, encoded] = /^\s*([\w.-]{1,32}):([A-Za-z0-9+/]{43}=)\s*$/.exec(part) ?? [];
    if (id === undefined || encoded === undefined) throw new Error(`entry ${position + 1} is not "id:base64 of 32 bytes"`);
    if (keys.has(id)) throw new Error(`the key id "${id}" occurs twice`);
    keys.set(id, Buffer.from(encoded, "base64"));
  }
  return keys;
}

/**
 * Derives a ring from another one, key by key, under the same ids; in the form that `KeyRing.parse` takes.
 * @throws Error whose message names the fault and never the key.
 */
export function deriveRing(text: string, purpose: string): string {
  const derived = [...parseKeys(text)].map(([id, key]) => {
    return `${id}:${Buffer.from(hkdfSync("sha256", key, "", `prosaas ${purpose}`, 32)).toString("base64")}`;
  });
  return derived.join(",");
}

/**
 * Keys as the environment gives them: "id:base64 of 32 bytes", separated by commas. The first one seals, all open, so
 * a key is rotated by putting a new one in front and removing the old one once nothing is sealed under it.
 */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #first: string;

  private constructor(keys: ReadonlyMap<string, Buffer>, first: string) {
    this.#keys = keys;
    this.#first = first;
  }

  /** @throws Error whose message names the fault and never the key. */
  static parse(text: string): KeyRing {
    const keys = parseKeys(text);
    return new KeyRing(keys, keys.keys().next().value!);
  }

  /**
   * A sealer for one store, under keys derived from the ring's with the store's own random `salt`. A key of its
   * own for each store keeps random 96-bit nonces far below the 2^32 values that AES-GCM allows under one key
   * (NIST SP 800-38D §8.3), which a busy shard would pass within weeks.
   */
  sealer(purpose: string, salt: Uint8Array): Sealer {
    const keyOf = this.#derivation(purpose, salt);
    return {
      keyId: this.#first,
      seal: (plain, context) => {
        const nonce = randomBytes(nonceBytes);
        const cipher = createCipheriv("aes-256-gcm", keyOf(this.#first), nonce);
        cipher.setAAD(Buffer.from(context));
        return { keyId: this.#first, box: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]) };
      },
      open: ({ keyId, box }, context) => {
        const key = keyOf(keyId);
        if (box.length < nonceBytes + tagBytes) throw new TamperedValue(keyId);
        const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, nonceBytes));
        decipher.setAAD(Buffer.from(context));
        decipher.setAuthTag(box.subarray(box.length - tagBytes));
        try {
          return Buffer.concat([decipher.update(box.subarray(nonceBytes, box.length - tagBytes)), decipher.final()]);
        } catch {
          throw new TamperedValue(keyId);
        }
      },
    };
  }

  /** A signer for one purpose. */
  signer(purpose: string): Signer {
    const keyOf = this.#derivation(`${purpose} signature`, Buffer.alloc(0));
    const mac = (keyId: string, text: string) => createHmac("sha256", keyOf(keyId)).update(text).digest();
    return {
      sign: (text) => `${this.#first}.${mac(this.#first, text).toString("base64url")}`,
      verify: (text, signature) => {
        const dot = signature.lastIndexOf(".");
        const keyId = signature.slice(0, Math.max(dot, 0));
        if (!this.#keys.has(keyId)) return false;
        const given = Buffer.from(signature.slice(dot + 1), "base64url");
        const expected = mac(keyId, text);
        return given.length === expected.length && timingSafeEqual(given, expected);
      },
    };
  }

  #derivation(purpose: string, salt: Uint8Array): (keyId: string) => Buffer {
    const derived = new Map<string, Buffer>();
    return (id) => {
      const known = derived.get(id);
      if (known) return known;
      const root = this.#keys.get(id);
      if (!root) throw new UnknownKey(id);
      const key = Buffer.from(hkdfSync("sha256", root, salt, `prosaas ${purpose}`, 32));
      derived.set(id, key);
      return key;
    };
  }
}
