import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Most values that one derived key seals: a sixteenth of the 2^32 that AES-GCM allows with random 96-bit nonces
 * (NIST SP 800-38D §8.3). Two processes that draw the same random subkey therefore stay below the bound, too.
 */
const maxSeals = 2 ** 28;
/** Random bytes in a subkey's name. */
const subkeyBytes = 6;
/** Derived keys that a sealer caches. A store has at least one subkey for each process that ever wrote to it. */
const maxDerived = 64;

/** A sealed value: the id of the key that sealed it ("key" or "key/subkey"), and nonce ‖ ciphertext ‖ tag. */
export type Sealed = { keyId: string; box: Uint8Array };

/** Seals and opens the values of one store. */
export type Sealer = {
  /** The id of the ring's current key, which `seal` uses. */
  readonly keyId: string;
  /** True if a value with this `Sealed.keyId` was sealed under the current key. */
  isCurrent(keyId: string): boolean;
  /**
   * `context` is authenticated, not stored: a value copied to another name or another business does not open.
   * @throws KeyExhausted
   */
  seal(plain: Uint8Array, context: string): Sealed;
  /** @throws UnknownKey, TamperedValue */
  open(sealed: Sealed, context: string): Buffer;
};

/** Signs texts that untrusted clients send back. */
export type Signer = {
  /** Returns `keyId.signature` in URL-safe characters. */
  sign(text: string): string;
  /** True if a key of the ring made this signature of this text. Compares in constant time. */
  verify(text: string, signature: string): boolean;
};

/** A key has reached its limit of sealed values. */
export class KeyExhausted extends Error {
  constructor(keyId: string, seals: number) {
    super(`the key "${keyId}" has sealed ${seals} values of one store, which is its limit`);
  }
}

export class UnknownKey extends Error {
  constructor(keyId: string) {
    super(`the key ring has no key with the id "${keyId}"`);
  }
}

export class TamperedValue extends Error {
  constructor(keyId: string) {
    super(
      `a value does not open under the key "${keyId}": it was altered, or sealed under another key of that id or for ` +
        `another business`,
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
 * Derives a ring from another one, key by key, under the same ids. Returns it in the form that `KeyRing.parse` reads.
 * @throws Error whose message names the fault and never the key.
 */
export function deriveRing(text: string, purpose: string): string {
  const derived = [...parseKeys(text)].map(([id, key]) => {
    return `${id}:${Buffer.from(hkdfSync("sha256", key, "", `prosaas ${purpose}`, 32)).toString("base64")}`;
  });
  return derived.join(",");
}

/**
 * Keys in the form of the environment: "id:base64 of 32 bytes", separated by commas. The first key seals; every key
 * opens. To rotate, prepend a new key, and remove the old one once no value is sealed under it.
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
   * Creates a sealer with one key, derived from the ring's first key and the store's own random `salt`. For stores that
   * one process writes, such as a file: it counts in memory and refuses to seal more than `limit` values.
   */
  sealer(purpose: string, salt: Uint8Array, limit = maxSeals): Sealer {
    let seals = 0;
    return this.#sealer(purpose, salt, (keyId) => {
      if (++seals > limit) throw new KeyExhausted(keyId, limit);
      return keyId;
    });
  }

  /**
   * Creates a sealer for a long-lived store. Each process seals under a subkey of its own with a random name, and takes
   * the next subkey after `limit` values, so that no durable counter is needed. `Sealed.keyId` is "key/subkey"; values
   * without a subkey, written by earlier releases, open too.
   */
  rotatingSealer(purpose: string, salt: Uint8Array, limit = maxSeals): Sealer {
    let [seals, subkey] = [0, ""];
    return this.#sealer(purpose, salt, (keyId) => {
      if (subkey === "" || seals >= limit) [seals, subkey] = [0, randomBytes(subkeyBytes).toString("base64url")];
      seals++;
      return `${keyId}/${subkey}`;
    });
  }

  /** `nextKey` counts a value and returns the id of the key that seals it. */
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

  /** Creates a signer for one purpose. */
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

  /** Returns a cached derivation of keys by id, "key" or "key/subkey". */
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
