import { Mailbox } from "../mail/mailbox.ts";
import type { Store } from "../store.ts";
import type { KeyBundle } from "./signal.ts";

/** A companion's identity and keys from its registration. */
export type DeviceIdentity = {
  /** From 1 to 98. */
  id: number;
  noiseKey: Buffer;
  identity: Buffer;
  registrationId: number;
  signedPreKey: { keyId: number; public: Buffer; signature: Buffer };
  linkedAt: number;
  /** As the phone lists it. Devices of earlier versions have none. */
  name?: string;
  /** True if the phone has shared its history with this companion. */
  synced: boolean;
};

/** Bytes of a stored one-time key: 3 of id, 32 of key. */
const entrySize = 35;

/** A companion linked to a phone: its identity, which a login must prove, and its uploaded keys for other devices. */
export class Device {
  readonly phone: string;
  /** Stanzas that the device has not acknowledged. */
  readonly mailbox: Mailbox;
  readonly #store: Store;
  #state: DeviceIdentity;
  #preKeys: Buffer;

  constructor(phone: string, state: DeviceIdentity, preKeys: Buffer, store: Store) {
    this.phone = phone;
    this.#state = state;
    this.#preKeys = preKeys;
    this.#store = store;
    this.mailbox = new Mailbox(phone, state.id, store);
  }

  get id(): number {
    return this.#state.id;
  }
  get state(): Readonly<DeviceIdentity> {
    return this.#state;
  }
  get preKeyCount(): number {
    return this.#preKeys.length / entrySize;
  }

  update(change: Partial<Omit<DeviceIdentity, "id">>): void {
    this.#state = { ...this.#state, ...change };
    this.save();
  }

  addPreKeys(keys: { keyId: number; public: Buffer }[]): void {
    const added = keys.map(({ keyId, public: key }) => {
      const entry = Buffer.alloc(entrySize);
      entry.writeUIntBE(keyId, 0, 3);
      entry.set(key, 3);
      return entry;
    });
    this.#preKeys = Buffer.concat([this.#preKeys, ...added]);
    this.save();
  }

  /** Returns the keys for a new Signal session with this device. Consumes a one-time key if there are any. */
  takeBundle(): KeyBundle {
    const { registrationId, identity, signedPreKey } = this.#state;
    if (this.#preKeys.length === 0) return { registrationId, identity, signedPreKey };
    const preKey = { keyId: this.#preKeys.readUIntBE(0, 3), public: this.#preKeys.subarray(3, entrySize) };
    this.#preKeys = this.#preKeys.subarray(entrySize);
    this.save();
    return { registrationId, identity, signedPreKey, preKey };
  }

  save(): void {
    this.#store.writeLatest(`device ${this.phone} ${this.id}`, () =>
      this.#store.db
        .query("INSERT OR REPLACE INTO devices (phone, device, state, prekeys) VALUES (?, ?, ?, ?)")
        .run(this.phone, this.id, encodeState(this.#state), this.#preKeys),
    );
  }

  remove(): void {
    this.#store.writeLatest(`device ${this.phone} ${this.id}`, () => {
      this.#store.db.query("DELETE FROM devices WHERE phone = ? AND device = ?").run(this.phone, this.id);
      this.#store.db.query("DELETE FROM mail WHERE phone = ? AND device = ?").run(this.phone, this.id);
    });
  }
}

const base64 = (key: Buffer) => key.toString("base64");

function encodeState(state: DeviceIdentity): string {
  return JSON.stringify({
    ...state,
    noiseKey: base64(state.noiseKey),
    identity: base64(state.identity),
    signedPreKey: {
      keyId: state.signedPreKey.keyId,
      public: base64(state.signedPreKey.public),
      signature: base64(state.signedPreKey.signature),
    },
  });
}

export function decodeState(text: string): DeviceIdentity {
  const raw = JSON.parse(text) as Omit<DeviceIdentity, "noiseKey" | "identity" | "signedPreKey"> & {
    noiseKey: string;
    identity: string;
    signedPreKey: { keyId: number; public: string; signature: string };
  };
  const key = (value: string) => Buffer.from(value, "base64");
  return {
    ...raw,
    noiseKey: key(raw.noiseKey),
    identity: key(raw.identity),
    signedPreKey: {
      keyId: raw.signedPreKey.keyId,
      public: key(raw.signedPreKey.public),
      signature: key(raw.signedPreKey.signature),
    },
  };
}
