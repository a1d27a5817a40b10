import { randomInt } from "node:crypto";
import type { AppState } from "../app_state/app_state.ts";
import { SenderKeys } from "../groups/sender_keys.ts";
import type { KeyPair } from "../keys.ts";
import { generateKeyPair, generateSignedPreKey } from "../keys.ts";
import type { Store } from "../store.ts";
import type { DeviceIdentity } from "./device.ts";
import { Device } from "./device.ts";
import type { Naming } from "./naming.ts";
import { Screen } from "./screen.ts";
import type { PhoneKeys } from "./signal.ts";
import type { PrivacyToken } from "./privacy_tokens.ts";
import { SignalSessions } from "./signal.ts";
import { unrestricted } from "./standing.ts";
import type { Standing } from "./standing.ts";

/** The receipts that a phone sends automatically: none, delivered, or delivered and read. */
export type Ticks = "none" | "delivered" | "read";

export type PhoneState = {
  name: string;
  keys: PhoneKeys;
  nextDevice: number;
  ticks: Ticks;
  /** URL of its picture. */
  picture?: string | undefined;
  naming?: Naming | undefined;
  /** Its names in answers of usync to its number. */
  usync_naming?: Naming | undefined;
  standing?: Standing | undefined;
  /** Tokens that it gave to others, by their numbers. */
  tokens?: Record<string, PrivacyToken> | undefined;
  /** The salt that WhatsApp gave the account, base64 (contact_salt.ts). */
  contact_salt?: string | undefined;
  app_state?: AppState | undefined;
  /** Other spellings of its number, by which people ask for it. None is an address. */
  spellings?: string[] | undefined;
};

/** A participant's last chat state: typing, recording, or neither. */
export type ChatState = "composing" | "recording" | "paused";

/** A virtual phone: device 0 of a WhatsApp account, with the companions linked to it. */
export class Phone {
  readonly phone: string;
  readonly lid: string;
  readonly devices = new Map<number, Device>();
  readonly signal: SignalSessions;
  readonly senderKeys: SenderKeys;
  readonly screen: Screen;
  /** Chat states of other numbers in their chat with this phone. */
  readonly seenIn = new Map<string, ChatState>();
  /** True if a companion shows the phone as available. */
  available = false;
  readonly #store: Store;
  #state: PhoneState;

  constructor(phone: string, lid: string, state: PhoneState, store: Store) {
    this.phone = phone;
    this.lid = lid;
    this.#state = state;
    this.#store = store;
    this.signal = new SignalSessions(phone, state.keys, store);
    this.senderKeys = new SenderKeys(phone, store);
    this.screen = new Screen(phone, store);
  }

  get name(): string {
    return this.#state.name;
  }
  get identity(): KeyPair {
    return this.#state.keys.identity;
  }
  get picture(): string | undefined {
    return this.#state.picture;
  }
  get ticks(): Ticks {
    return this.#state.ticks;
  }
  get tokens(): Readonly<Record<string, PrivacyToken>> {
    return this.#state.tokens ?? {};
  }
  get contactSalt(): Buffer | undefined {
    const { contact_salt: salt } = this.#state;
    return salt === undefined ? undefined : Buffer.from(salt, "base64");
  }
  get appState(): AppState | undefined {
    return this.#state.app_state;
  }
  get standing(): Standing {
    return this.#state.standing ?? unrestricted;
  }
  get naming(): Naming {
    return this.#state.naming ?? "number";
  }
  get usyncNaming(): Naming {
    return this.#state.usync_naming ?? "number";
  }
  get spellings(): readonly string[] {
    return this.#state.spellings ?? [];
  }

  change(
    change: Partial<
      Pick<
        PhoneState,
        | "name"
        | "ticks"
        | "picture"
        | "naming"
        | "usync_naming"
        | "spellings"
        | "standing"
        | "tokens"
        | "contact_salt"
        | "app_state"
      >
    >,
  ): void {
    this.#state = { ...this.#state, ...change };
    this.save();
  }

  /** Returns the id of the next companion: increments it, wraps around, and skips ids in use. */
  nextDeviceId(): number {
    let id = this.#state.nextDevice;
    while (this.devices.has(id)) id = after(id);
    this.#state = { ...this.#state, nextDevice: after(id) };
    this.save();
    return id;
  }

  link(identity: DeviceIdentity): Device {
    const device = new Device(this.phone, identity, Buffer.alloc(0), this.#store);
    this.devices.set(device.id, device);
    device.save();
    return device;
  }

  unlink(device: Device): void {
    this.devices.delete(device.id);
    device.remove();
  }

  save(): void {
    this.#store.writeLatest(`phone ${this.phone}`, () =>
      this.#store.db
        .query("INSERT OR REPLACE INTO phones (phone, lid, state) VALUES (?, ?, ?)")
        .run(this.phone, this.lid, encodeState(this.#state)),
    );
  }
}

export function newPhoneState(name: string): PhoneState {
  const identity = generateKeyPair();
  return {
    name,
    nextDevice: 1,
    ticks: "read",
    // libsignal's registration ids have 14 bits.
    keys: { identity, registrationId: randomInt(1, 0x3fff), signedPreKey: generateSignedPreKey(identity, 1) },
  };
}

/** The wire format has one byte for a device id, and clients treat 99 as a hosted device. */
const after = (id: number) => (id % 98) + 1;

const pairToText = (pair: KeyPair) => Buffer.concat([pair.private, pair.public]).toString("base64");

function textToPair(text: string): KeyPair {
  const both = Buffer.from(text, "base64");
  return { private: both.subarray(0, 32), public: both.subarray(32) };
}

function encodeState({ keys, ...rest }: PhoneState): string {
  return JSON.stringify({
    ...rest,
    identity: pairToText(keys.identity),
    registrationId: keys.registrationId,
    signedPreKey: {
      keyId: keys.signedPreKey.keyId,
      pair: pairToText(keys.signedPreKey.keyPair),
      signature: keys.signedPreKey.signature.toString("base64"),
    },
  });
}

export function decodeState(text: string): PhoneState {
  const { identity, registrationId, signedPreKey, ...rest } = JSON.parse(text) as Omit<PhoneState, "keys"> & {
    identity: string;
    registrationId: number;
    signedPreKey: { keyId: number; pair: string; signature: string };
  };
  return {
    ...rest,
    keys: {
      identity: textToPair(identity),
      registrationId,
      signedPreKey: {
        keyId: signedPreKey.keyId,
        keyPair: textToPair(signedPreKey.pair),
        signature: Buffer.from(signedPreKey.signature, "base64"),
      },
    },
  };
}
