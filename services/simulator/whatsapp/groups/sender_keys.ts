import {
  GroupCipher,
  GroupSessionBuilder,
  SenderKeyDistributionMessage,
  SenderKeyName,
  SenderKeyRecord,
} from "@whiskeysockets/baileys/lib/Signal/Group/index.js";
import type { ProtocolAddress } from "libsignal";
import type { Store } from "../store.ts";

/**
 * The sender keys of one phone: its own in each group, and those that the devices of others have given it. A message to
 * a group is encrypted once, under its sender's key, and that key goes to each device in a message of its own.
 */
export class SenderKeys {
  readonly #phone: string;
  readonly #store: Store;
  readonly #records = new Map<string, Uint8Array>();
  /** Devices that were given the phone's own key, by group. */
  readonly #given = new Map<string, Set<string>>();

  constructor(phone: string, store: Store) {
    this.#phone = phone;
    this.#store = store;
  }

  /** Takes the key of a member's device. */
  async learn(group: string, from: ProtocolAddress, distribution: Uint8Array): Promise<void> {
    const name = this.#nameOf(group, from);
    if (!this.#load(name)) this.#keep(name, new SenderKeyRecord());
    await new GroupSessionBuilder(this.#storage).process(
      name,
      new SenderKeyDistributionMessage(null, null, null, null, distribution),
    );
  }

  /** Throws where the sender's key is not known, or not for this message; the keys are then as before. */
  async decrypt(group: string, from: ProtocolAddress, ciphertext: Uint8Array): Promise<Buffer> {
    const name = this.#nameOf(group, from);
    if (!this.#load(name)) throw new Error("the sender's key is not known");
    return Buffer.from(await new GroupCipher(this.#storage, name).decrypt(ciphertext));
  }

  /** The phone's own key as it is now, for a device that does not have it yet. */
  async distribution(group: string, own: ProtocolAddress): Promise<Buffer> {
    const name = this.#nameOf(group, own);
    if (!this.#load(name)) this.#keep(name, new SenderKeyRecord());
    return Buffer.from((await new GroupSessionBuilder(this.#storage).create(name)).serialize());
  }

  /** Encrypts under the phone's own key, of which there is a distribution. */
  async encrypt(group: string, own: ProtocolAddress, plaintext: Uint8Array): Promise<Buffer> {
    return Buffer.from(await new GroupCipher(this.#storage, this.#nameOf(group, own)).encrypt(plaintext));
  }

  /** Whether a device has the phone's key; from now on it does. */
  give(group: string, device: ProtocolAddress): boolean {
    const given = this.#given.get(group) ?? new Set();
    this.#given.set(group, given);
    const had = given.has(device.toString());
    given.add(device.toString());
    return had;
  }

  /** Loses all keys, as a phone does that was set up anew. */
  forget(): void {
    this.#records.clear();
    this.#given.clear();
    this.#store.write(() => this.#store.db.query("DELETE FROM sender_keys WHERE phone = ?").run(this.#phone));
  }

  readonly #storage = {
    loadSenderKey: async (name: SenderKeyName) => this.#load(name) ?? new SenderKeyRecord(),
    storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) => this.#keep(name, record),
  };

  #nameOf(group: string, { id, deviceId }: ProtocolAddress): SenderKeyName {
    return new SenderKeyName(group, { id, deviceId, toString: () => `${id}.${deviceId}` });
  }

  #load(name: SenderKeyName): SenderKeyRecord | undefined {
    const key = name.toString();
    const known = this.#records.get(key);
    if (known) return SenderKeyRecord.deserialize(known);
    this.#store.flush();
    const row = this.#store.db
      .query<{ record: Uint8Array }, [string, string]>("SELECT record FROM sender_keys WHERE phone = ? AND name = ?")
      .get(this.#phone, key);
    if (!row) return undefined;
    this.#records.set(key, row.record);
    return SenderKeyRecord.deserialize(row.record);
  }

  #keep(name: SenderKeyName, record: SenderKeyRecord): void {
    const key = name.toString();
    const bytes = Buffer.from(JSON.stringify(record.serialize()));
    this.#records.set(key, bytes);
    this.#store.writeLatest(`sender key ${this.#phone} ${key}`, () =>
      this.#store.db
        .query("INSERT OR REPLACE INTO sender_keys (phone, name, record) VALUES (?, ?, ?)")
        .run(this.#phone, key, bytes),
    );
  }
}
