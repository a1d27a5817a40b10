import { createHash } from "node:crypto";
import type { Store } from "../store.ts";
import type { UserAddress } from "../wire/jid.ts";
import { decodeState as decodeDevice, Device } from "./device.ts";
import { deviceAddress } from "./signal.ts";
import { decodeState as decodePhone, newPhoneState, Phone } from "./phone.ts";

/** Derives a number's LID of 15 digits. It is opaque to clients and deterministic. */
function lidOf(phone: string): string {
  const digest = createHash("sha256").update(`lid ${phone}`).digest();
  return String(100_000_000_000_000n + (digest.readBigUInt64BE() % 900_000_000_000_000n));
}

/** All phones. Every number is a phone: it is created at its first use. */
export class PhoneBook {
  readonly #store: Store;
  readonly #byPhone = new Map<string, Phone>();
  readonly #byLid = new Map<string, Phone>();
  readonly #spellings = new Map<string, Phone>();

  constructor(store: Store) {
    this.#store = store;
    this.#load();
  }

  all(): Phone[] {
    return [...this.#byPhone.values()];
  }
  get size(): number {
    return this.#byPhone.size;
  }

  get(phone: string): Phone | undefined {
    return this.#byPhone.get(phone);
  }

  obtain(phone: string): Phone {
    const known = this.#byPhone.get(phone);
    if (known) return known;
    const created = new Phone(phone, lidOf(phone), newPhoneState(`+${phone}`), this.#store);
    created.save();
    this.#add(created);
    return created;
  }

  /** Returns the phone of an address; undefined for an unknown LID, and for another spelling of a number. */
  at(address: UserAddress): Phone | undefined {
    if (address.byLid) return this.#byLid.get(address.user);
    return this.spelled(address.user) === undefined ? this.obtain(address.user) : undefined;
  }

  /** Returns the phone whose number has this other spelling. */
  spelled(number: string): Phone | undefined {
    return this.#spellings.get(number);
  }

  /** Records other spellings of a phone's number. */
  spell(phone: Phone, spellings: string[]): void {
    for (const spelling of phone.spellings) this.#spellings.delete(spelling);
    phone.change({ spellings });
    for (const spelling of spellings) this.#spellings.set(spelling, phone);
  }

  /** Unlinks a companion, and deletes all phones' Signal sessions with it, because its id will be reused. */
  unlink(device: Device): void {
    this.#byPhone.get(device.phone)?.unlink(device);
    this.#store.flush();
    const address = deviceAddress(device.phone, device.id);
    const rows = this.#store.db
      .query<{ phone: string }, [string]>("SELECT phone FROM sessions WHERE address = ?")
      .all(address.toString());
    for (const { phone } of rows) this.#byPhone.get(phone)?.signal.forget(address);
  }

  #add(phone: Phone): void {
    this.#byPhone.set(phone.phone, phone);
    this.#byLid.set(phone.lid, phone);
    for (const spelling of phone.spellings) this.#spellings.set(spelling, phone);
  }

  #load(): void {
    const { db } = this.#store;
    for (const row of db
      .query<{ phone: string; lid: string; state: string }, []>("SELECT phone, lid, state FROM phones")
      .all()) {
      this.#add(new Phone(row.phone, row.lid, decodePhone(row.state), this.#store));
    }
    const devices = db
      .query<{ phone: string; state: string; prekeys: Uint8Array }, []>("SELECT phone, state, prekeys FROM devices")
      .all();
    for (const row of devices) {
      const device = new Device(row.phone, decodeDevice(row.state), Buffer.from(row.prekeys), this.#store);
      this.#byPhone.get(row.phone)?.devices.set(device.id, device);
    }
  }
}
