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
 * The sender keys of one phone: its own in each group, and those that it received from other devices. A group message
 * is encrypted once, under its sender's key. The sender distributes that key to each device in a separate message.
 */
export class SenderKeys {
  readonly #phone: string;
  readonly #store: Store;
  readonly #records = new Map<string, Uint8Array>();
  /** Devices that have received the phone's own key, by group. */
  readonly #recipients = new Map<string, Set<string>>();

  constructor(phone: string, store: Store) {
    this.#phone = phone;
    this.#store = store;
  }

  /** Stores the key of a member's device. */
  async learn(group: string, from: ProtocolAddress, distribution: Uint8Array): Promise<void> {
    const name = this.#nameOf(group, from);
    if (!this.#load(name)) this.#save(name, new SenderKeyRecord());
    await new GroupSessionBuilder(this.#storage).process(
      name,
      new SenderKeyDistributionMessage(null, null, null, null, distribution),
    );
  }

  /** Decrypts a group message. Throws, without a change to the keys, if the sender's key is unknown or does not fit. */
  async decrypt(group: string, from: ProtocolAddress, ciphertext: Uint8Array): Promise<Buffer> {
    const name = this.#nameOf(group, from);
    if (!this.#load(name)) throw new Error("the sender key is unknown");
    return Buffer.from(await new GroupCipher(this.#storage, name).decrypt(ciphertext));
  }

  /** Returns the phone's own key in its current state, for devices that do not have it yet. */
  async distribution(group: string, own: ProtocolAddress): Promise<Buffer> {
    const name = this.#nameOf(group, own);
    if (!this.#load(name)) this.#save(name, new SenderKeyRecord());
    return Buffer.from((await new GroupSessionBuilder(this.#storage).create(name)).serialize());
  }

  /** Encrypts under the phone's own key. Call {@link distribution} first. */
  async encrypt(group: string, own: ProtocolAddress, plaintext: Uint8Array): Promise<Buffer> {
    return Buffer.from(await new GroupCipher(this.#storage, this.#nameOf(group, own)).encrypt(plaintext));
  }

  /** Marks a device as a recipient of the phone's key. Returns whether it was one already. */
  give(group: string, device: ProtocolAddress): boolean {
    const recipients = this.#recipients.get(group) ?? new Set();
    this.#recipients.set(group, recipients);
    const known = recipients.has(device.toString());
    recipients.add(device.toString());
    return known;
  }

  /** Deletes all keys, as on a phone that was set up again. */
  forget(): void {
    this.#records.clear();
    this.#recipients.clear();
    this.#store.write(() => this.#store.db.query("DELETE FROM sender_keys WHERE phone = ?").run(this.#phone));
  }

  readonly #storage = {
    loadSenderKey: async (name: SenderKeyName) => this.#load(name) ?? new SenderKeyRecord(),
    storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) => this.#save(name, record),
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

  #save(name: SenderKeyName, record: SenderKeyRecord): void {
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
