import type { SignalStorage } from "libsignal";
import { ProtocolAddress, SessionBuilder, SessionCipher, SessionRecord } from "libsignal";
import { randomInt } from "node:crypto";
import type { KeyPair, SignedPreKey } from "../keys.ts";
import { generateKeyPair, signalKey } from "../keys.ts";
import type { Store } from "../store.ts";

/** The keys for a new Signal session with a device, 32 bytes each. */
export type KeyBundle = {
  registrationId: number;
  identity: Buffer;
  signedPreKey: { keyId: number; public: Buffer; signature: Buffer };
  preKey?: { keyId: number; public: Buffer };
};

export type Encrypted = { type: "pkmsg" | "msg"; ciphertext: Buffer };

export type PhoneKeys = { identity: KeyPair; registrationId: number; signedPreKey: SignedPreKey };

const signalPair = (pair: KeyPair) => ({ privKey: pair.private, pubKey: signalKey(pair.public) });

/**
 * The Signal sessions of one phone's primary device with other devices. Uses libsignal's ciphers on records that stay
 * in memory and are written asynchronously.
 */
export class SignalSessions {
  readonly #phone: string;
  readonly #keys: PhoneKeys;
  readonly #store: Store;
  /** The record that libsignal mutates, and its last consistent serialised state. */
  readonly #records = new Map<string, { record: SessionRecord; text: string } | "forgotten">();
  readonly #storage: SignalStorage;

  constructor(phone: string, keys: PhoneKeys, store: Store) {
    this.#phone = phone;
    this.#keys = keys;
    this.#store = store;
    this.#storage = this.#createStorage();
  }

  /** Decrypts a ciphertext. Throws, without a change to the sessions, if no session fits. */
  async decrypt(address: ProtocolAddress, type: string, ciphertext: Buffer): Promise<Buffer> {
    const cipher = new SessionCipher(this.#storage, address);
    try {
      if (type === "pkmsg") return await cipher.decryptPreKeyWhisperMessage(ciphertext);
      return await cipher.decryptWhisperMessage(ciphertext);
    } catch (error) {
      // A failed attempt may have advanced the ratchet of the record in memory.
      this.#restore(address.toString());
      throw error;
    }
  }

  async encrypt(address: ProtocolAddress, plaintext: Buffer): Promise<Encrypted> {
    const { type, body } = await new SessionCipher(this.#storage, address).encrypt(plaintext);
    return { type: type === 3 ? "pkmsg" : "msg", ciphertext: Buffer.from(body as unknown as Uint8Array) };
  }

  has(address: ProtocolAddress): boolean {
    return this.#load(address.toString())?.haveOpenSession() ?? false;
  }

  async begin(address: ProtocolAddress, bundle: KeyBundle): Promise<void> {
    await new SessionBuilder(this.#storage, address).initOutgoing({
      registrationId: bundle.registrationId,
      identityKey: signalKey(bundle.identity),
      signedPreKey: {
        keyId: bundle.signedPreKey.keyId,
        publicKey: signalKey(bundle.signedPreKey.public),
        signature: bundle.signedPreKey.signature,
      },
      // libsignal works without a one-time key, although its types require one.
      preKey: (bundle.preKey && { keyId: bundle.preKey.keyId, publicKey: signalKey(bundle.preKey.public) })!,
    });
  }

  forget(address: ProtocolAddress): void {
    const id = address.toString();
    this.#records.set(id, "forgotten");
    this.#store.writeLatest(`session ${this.#phone} ${id}`, () =>
      this.#store.db.query("DELETE FROM sessions WHERE phone = ? AND address = ?").run(this.#phone, id),
    );
  }

  /** Creates a bundle with a new one-time key, for a client that starts a session with this phone. */
  bundle(): KeyBundle {
    const { identity, registrationId, signedPreKey } = this.#keys;
    const pair = generateKeyPair();
    // Key ids have 24 bits on the wire; libsignal treats 0 as no key.
    const keyId = randomInt(1, 0xffffff);
    this.#store.write(() =>
      this.#store.db
        .query("INSERT OR REPLACE INTO own_prekeys (phone, id, keys) VALUES (?, ?, ?)")
        .run(this.#phone, keyId, Buffer.concat([pair.private, pair.public])),
    );
    return {
      registrationId,
      identity: identity.public,
      signedPreKey: {
        keyId: signedPreKey.keyId,
        public: signedPreKey.keyPair.public,
        signature: signedPreKey.signature,
      },
      preKey: { keyId, public: pair.public },
    };
  }

  #load(id: string): SessionRecord | undefined {
    const known = this.#records.get(id);
    if (known) return known === "forgotten" ? undefined : known.record;
    const row = this.#store.db
      .query<{ record: string }, [string, string]>("SELECT record FROM sessions WHERE phone = ? AND address = ?")
      .get(this.#phone, id);
    if (!row) return undefined;
    return this.#cache(id, row.record);
  }

  #cache(id: string, text: string): SessionRecord {
    const record = SessionRecord.deserialize(JSON.parse(text) as Uint8Array);
    this.#records.set(id, { record, text });
    return record;
  }

  #restore(id: string): void {
    const known = this.#records.get(id);
    if (known && known !== "forgotten") this.#cache(id, known.text);
  }

  #createStorage(): SignalStorage {
    const db = this.#store.db;
    return {
      loadSession: async (id) => this.#load(id),
      storeSession: async (id, record) => {
        const text = JSON.stringify(record.serialize());
        this.#records.set(id, { record, text });
        this.#store.writeLatest(`session ${this.#phone} ${id}`, () =>
          db
            .query("INSERT OR REPLACE INTO sessions (phone, address, record) VALUES (?, ?, ?)")
            .run(this.#phone, id, text),
        );
      },
      isTrustedIdentity: () => true,
      loadPreKey: async (id) => {
        if (!id) return undefined;
        this.#store.flush();
        const row = db
          .query<{ keys: Uint8Array }, [string, number]>("SELECT keys FROM own_prekeys WHERE phone = ? AND id = ?")
          .get(this.#phone, Number(id));
        if (!row) return undefined;
        const keys = Buffer.from(row.keys);
        return signalPair({ private: keys.subarray(0, 32), public: keys.subarray(32) });
      },
      removePreKey: (id) =>
        this.#store.write(() => db.query("DELETE FROM own_prekeys WHERE phone = ? AND id = ?").run(this.#phone, id)),
      loadSignedPreKey: () => signalPair(this.#keys.signedPreKey.keyPair),
      getOurRegistrationId: () => this.#keys.registrationId,
      getOurIdentity: () => signalPair(this.#keys.identity),
    };
  }
}

/** Returns a device's address in Signal sessions: by phone number, because LID and number are the same device. */
export function deviceAddress(phone: string, device: number): ProtocolAddress {
  return new ProtocolAddress(phone, device);
}
