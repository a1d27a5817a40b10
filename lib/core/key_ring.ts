import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Values sealed under one derived key: a sixteenth of the 2^32 that AES-GCM allows with random 96-bit nonces
 * (NIST SP 800-38D §8.3), so that two processes which draw the same subkey stay below the bound, too.
 */
export const maxSeals = 2 ** 28;
/** Random bytes in the name of a subkey. */
const subkeyBytes = 6;
/** Derived keys that a sealer remembers; a store has one subkey for each process that ever wrote to it. */
const maxDerived = 64;

/** A sealed value: which key sealed it, one of the ring or a subkey of it, and nonce ‖ ciphertext ‖ tag. */
export type Sealed = { keyId: string; box: Uint8Array };

/** Seals and opens the values of one store. */
export type Sealer = {
  /** The id of the ring's key that `seal` uses at present. */
  readonly keyId: string;
  /** Whether a value with this `Sealed.keyId` was sealed under the key that `seal` uses at present. */
  isCurrent(keyId: string): boolean;
  /**
   * `context` is authenticated, not stored: a value moved to another name or another business does not open.
   * @throws KeyExhausted
   */
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

/** One key has sealed as many values as it may. */
export class KeyExhausted extends Error {
  constructor(keyId: string, seals: number) {
    super(`the key "${keyId}" has sealed ${seals} values of one store and may seal no more`);
  }
}

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
    if (id === undefined || encoded === undefined)
      throw new Error(`entry ${position + 1} is not "id:base64 of 32 bytes"`);
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
   * A sealer under one key, derived from the ring's with the store's own random `salt`: for what is sealed within one
   * process, such as a file. It counts, and refuses to seal more than the key allows.
   */
  sealer(purpose: string, salt: Uint8Array, limit = maxSeals): Sealer {
    let seals = 0;
    return this.#sealer(purpose, salt, (keyId) => {
      if (++seals > limit) throw new KeyExhausted(keyId, limit);
      return keyId;
    });
  }

  /**
   * A sealer for a store that is written for years: each process seals under a subkey of its own with a random name,
   * and under the next one after `limit` values. A store needs no durable counter for that: `Sealed.keyId` is
   * "key/subkey". Values without a subkey, from before there were any, open too.
   */
  rotatingSealer(purpose: string, salt: Uint8Array, limit = maxSeals): Sealer {
    let [seals, subkey] = [0, ""];
    return this.#sealer(purpose, salt, (keyId) => {
      if (subkey === "" || seals >= limit) [seals, subkey] = [0, randomBytes(subkeyBytes).toString("base64url")];
      seals++;
      return `${keyId}/${subkey}`;
    });
  }

  /** `nextKey` counts a value and names the key that seals it. */
  #sealer(purpose: string, salt: Uint8Array, nextKey: (keyId: string) => string): Sealer {
    const keyOf = this.#derivation(purpose, salt);
    const first = this.#first;
    return {
      keyId: first,
      isCurrent: (keyId) => keyId === first || keyId.startsWith(`${first}/`),
      seal: (plain, context) => {
        const keyId = nextKey(first);
        const nonce = randomBytes(nonceBytes);
        const cipher = createCipheriv("aes-256-gcm", keyOf(keyId), nonce);
        cipher.setAAD(Buffer.from(context));
        return { keyId, box: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]) };
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

  /** Keys by id, "key" or "key/subkey". */
  #derivation(purpose: string, salt: Uint8Array): (keyId: string) => Buffer {
    const derived = new Map<string, Buffer>();
    return (id) => {
      const known = derived.get(id);
      if (known) return known;
      const slash = id.indexOf("/");
      const rootId = slash === -1 ? id : id.slice(0, slash);
      const root = this.#keys.get(rootId);
      if (!root) throw new UnknownKey(rootId);
      const info = `prosaas ${purpose}${slash === -1 ? "" : id.slice(slash)}`;
      const key = Buffer.from(hkdfSync("sha256", root, salt, info, 32));
      if (derived.size >= maxDerived) derived.delete(derived.keys().next().value!);
      derived.set(id, key);
      return key;
    };
  }
}
